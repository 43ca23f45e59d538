"""Transactions: commit, abort, isolation levels, and a copy loop with offsets, one round of it aborted."""

import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from checks import KAFKA, check, equal, run, unique


def read(topic, isolation, count, quiet=2.0):
    """What a new group sees: `count` records and whatever follows within `quiet` seconds."""
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": unique("reader"),
            "auto.offset.reset": "earliest",
            "isolation.level": isolation,
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    values, give_up = [], time.monotonic() + 20
    while time.monotonic() < give_up:
        message = consumer.poll(0.2)
        if message is not None and not message.error():
            values.append(message.value().decode())
        if len(values) >= count:
            give_up = min(give_up, time.monotonic() + quiet)
    consumer.close()
    return values


def isolation(producer, topic):
    def transaction(values, end):
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, value)
        producer.flush(10)
        end(20)

    transaction(["c0", "c1", "c2"], producer.commit_transaction)
    transaction(["a0", "a1", "a2"], producer.abort_transaction)
    transaction(["c3"], producer.commit_transaction)
    committed = ["c0", "c1", "c2", "c3"]
    equal("read_committed skips what was aborted", read(topic, "read_committed", 4), committed)
    everything = ["c0", "c1", "c2", "a0", "a1", "a2", "c3"]
    equal("read_uncommitted sees it", read(topic, "read_uncommitted", 7), everything)

    producer.begin_transaction()
    producer.produce(topic, "open")
    producer.flush(10)
    equal("an open one is invisible", read(topic, "read_committed", 4), committed)
    producer.commit_transaction(20)
    equal("and visible once committed", read(topic, "read_committed", 5), [*committed, "open"])


def copy(producer, source, target, group, count):
    """Reads, writes and commits in transactions; aborts the second and does it again."""
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
        }
    )
    consumer.subscribe([source])
    copied, rounds, give_up = 0, 0, time.monotonic() + 60
    while copied < count and time.monotonic() < give_up:
        messages = [one for one in consumer.consume(5, 1.0) if not one.error()]
        if not messages:
            continue
        producer.begin_transaction()
        for message in messages:
            producer.produce(target, "x" + message.value().decode())
        positions = consumer.position(consumer.assignment())
        producer.send_offsets_to_transaction(positions, consumer.consumer_group_metadata(), 20)
        rounds += 1
        if rounds == 2:
            producer.abort_transaction(20)
            for one in consumer.committed(consumer.assignment(), timeout=10):
                consumer.seek(TopicPartition(one.topic, one.partition, max(one.offset, 0)))
        else:
            producer.commit_transaction(20)
            copied += len(messages)
    both = [TopicPartition(source, 0), TopicPartition(source, 1)]
    committed = consumer.committed(both, timeout=10)
    consumer.close()
    return [one.offset for one in committed]


def main():
    source, target = unique("source"), unique("target")
    admin = AdminClient({"bootstrap.servers": KAFKA})
    for made in admin.create_topics([NewTopic(source, 2, 1), NewTopic(target, 1, 1)]).values():
        made.result(20)
    producer = Producer(
        {
            "bootstrap.servers": KAFKA,
            "transactional.id": unique("transactional"),
            "transaction.timeout.ms": 30000,
        }
    )
    producer.init_transactions(20)
    isolation(producer, target)

    plain = Producer({"bootstrap.servers": KAFKA})
    for i in range(20):
        plain.produce(source, str(i), partition=i % 2)
    check("the source is filled", plain.flush(10) == 0)
    offsets = copy(producer, source, target, unique("copy-group"), 20)
    equal("the transactions committed the offsets", offsets, [10, 10])
    copies = read(target, "read_committed", 25)[5:]
    numbers = sorted(int(value[1:]) for value in copies)
    equal("each input has one output", numbers, list(range(20)))


run(main)
