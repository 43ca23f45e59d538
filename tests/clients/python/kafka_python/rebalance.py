"""Two consumers share a group of four partitions and one leaves: nothing lost, nothing twice."""

import threading

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic

from checks import KAFKA, check, equal, run, unique, until


class Revocations(ConsumerRebalanceListener):
    """Counts how often partitions were taken away."""

    def __init__(self):
        self.count = 0

    def on_partitions_revoked(self, revoked):
        self.count += 1

    def on_partitions_assigned(self, assigned):
        pass


class Worker(threading.Thread):
    """One member."""

    def __init__(self, topic, group, number):
        super().__init__(daemon=True)
        self.topic, self.group, self.number = topic, group, number
        self.stop = threading.Event()
        self.seen, self.owned, self.revocations = [], set(), Revocations()
        self.start()

    def run(self):
        consumer = KafkaConsumer(
            bootstrap_servers=KAFKA,
            group_id=self.group,
            client_id=f"worker-{self.number}",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=10000,
            heartbeat_interval_ms=500,
        )
        consumer.subscribe([self.topic], listener=self.revocations)
        while not self.stop.is_set():
            for records in consumer.poll(timeout_ms=200).values():
                self.seen += [int(record.value) for record in records]
                consumer.commit()
            self.owned = {partition.partition for partition in consumer.assignment()}
        consumer.close()


def main():
    topic, group = unique("shared"), unique("workers")
    KafkaAdminClient(bootstrap_servers=KAFKA).create_topics([NewTopic(topic, 4, 1)])
    producer = KafkaProducer(bootstrap_servers=KAFKA, acks="all")

    def produce(numbers):
        for i in numbers:
            producer.send(topic, b"%d" % i, partition=i % 4)
        producer.flush()

    one = Worker(topic, group, 1)
    check("one member owns all four", until(lambda: one.owned == {0, 1, 2, 3}), one.owned)
    two = Worker(topic, group, 2)
    shared = until(lambda: len(one.owned) == len(two.owned) == 2 and not one.owned & two.owned, 40)
    check("two members own two each", shared, (one.owned, two.owned))
    check("the first was told of what it lost", one.revocations.count > 0)

    produce(range(400))
    until(lambda: len(one.seen) + len(two.seen) >= 400)
    equal("each record to one member", sorted(one.seen + two.seen), list(range(400)))
    equal("the work was shared", (len(one.seen), len(two.seen)), (200, 200))

    one.stop.set()
    one.join(20)
    check("the one left takes all four", until(lambda: two.owned == {0, 1, 2, 3}, 40), two.owned)
    before = len(two.seen)
    produce(range(400, 480))
    until(lambda: len(two.seen) >= before + 80)
    equal("and reads on, each once", sorted(two.seen[before:]), list(range(400, 480)))
    two.stop.set()
    two.join(20)


run(main)
