"""The new group protocol (KIP-848): join, share, leave, describe, offsets kept; a subscription by pattern."""

from confluent_kafka import Consumer, ConsumerGroupState, ConsumerGroupType, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from checks import KAFKA, check, equal, run, unique, until
from confluent.members import Member

SETTINGS = {"group.protocol": "consumer", "auto.commit.interval.ms": 300}


def main():
    topic, group = unique("new-protocol"), unique("new-protocol-group")
    admin = AdminClient({"bootstrap.servers": KAFKA})
    admin.create_topics([NewTopic(topic, 4, 1)])[topic].result(20)
    producer = Producer({"bootstrap.servers": KAFKA})

    def produce(numbers):
        for i in numbers:
            producer.produce(topic, b"%d" % i, partition=i % 4)
        producer.flush(20)

    produce(range(200))
    one = Member(topic, group, "one", **SETTINGS)
    check("the first owns four", until(lambda: len(one.owned) == 4, 40), (one.owned, one.errors))
    until(lambda: len(one.received) >= 200, 20)
    equal("it reads the backlog", sorted(one.received), list(range(200)))

    two = Member(topic, group, "two", **SETTINGS)
    shared = until(lambda: len(one.owned) == len(two.owned) == 2 and not one.owned & two.owned, 60)
    check("two each", shared, (one.owned, two.owned, two.errors))
    described = admin.describe_consumer_groups([group])[group].result(20)
    equal("the group's type", described.type, ConsumerGroupType.CONSUMER)
    equal("the group's state", described.state, ConsumerGroupState.STABLE)
    equal("the group's members", len(described.members), 2)

    produce(range(200, 400))
    until(lambda: len(one.received) + len(two.received) >= 400)
    equal("each once", sorted(one.received + two.received), list(range(400)))
    two.leave()
    check("the first has four again", until(lambda: len(one.owned) == 4, 60), one.owned)

    reader = Consumer({"bootstrap.servers": KAFKA, "group.id": group})

    def committed():
        offsets = reader.committed([TopicPartition(topic, i) for i in range(4)], timeout=10)
        return [offset.offset for offset in offsets]

    until(lambda: committed() == [100] * 4, 10)
    one.leave()
    equal("offsets are committed and kept", committed(), [100] * 4)
    reader.close()

    by_pattern = Member(f"^{topic}.*", unique("pattern-group"), "pattern", **SETTINGS)
    matched = until(lambda: len(by_pattern.received) >= 400, 40)
    check("a pattern finds its topic", matched, (len(by_pattern.received), by_pattern.errors))
    by_pattern.leave()


run(main)
