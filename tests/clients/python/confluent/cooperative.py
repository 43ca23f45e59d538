"""cooperative-sticky: a second member takes partitions, the first keeps the rest all along."""

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from checks import KAFKA, check, equal, run, unique, until
from confluent.members import Member

SETTINGS = {
    "partition.assignment.strategy": "cooperative-sticky",
    "session.timeout.ms": 10000,
    "heartbeat.interval.ms": 500,
}


def main():
    topic, group = unique("cooperative"), unique("cooperative-group")
    admin = AdminClient({"bootstrap.servers": KAFKA})
    admin.create_topics([NewTopic(topic, 6, 1)])[topic].result(20)

    one = Member(topic, group, "one", **SETTINGS)
    check("the first owns six", until(lambda: len(one.owned) == 6), one.owned)
    two = Member(topic, group, "two", **SETTINGS)
    shared = until(lambda: len(one.owned) == len(two.owned) == 3 and not one.owned & two.owned, 40)
    check("three each", shared, (one.owned, two.owned))
    check("the first gave up three at most", all(len(r) <= 3 for r in one.revoked), one.revoked)

    producer = Producer({"bootstrap.servers": KAFKA})
    for i in range(600):
        producer.produce(topic, b"%d" % i, partition=i % 6)
    equal("all are delivered", producer.flush(20), 0)
    until(lambda: len(one.received) + len(two.received) >= 600)
    equal("each once", sorted(one.received + two.received), list(range(600)))

    two.leave()
    check("the first has six again", until(lambda: len(one.owned) == 6, 40), one.owned)
    one.leave()


run(main)
