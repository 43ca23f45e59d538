"""Headers, nulls, timestamps; seek, pause, offsets by time, both ends, an offset out of range."""

import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from checks import KAFKA, check, equal, run, unique

HEADERS = [
    ("event-type", b"content.watched"),
    ("again", b"a"),
    ("again", b"b"),
    ("empty", b""),
    ("한글", "값".encode()),
]


def main():
    topic = unique("positions")
    zero, one = TopicPartition(topic, 0), TopicPartition(topic, 1)
    KafkaAdminClient(bootstrap_servers=KAFKA).create_topics([NewTopic(topic, 2, 1)])
    producer = KafkaProducer(bootstrap_servers=KAFKA, acks="all")
    begin = int(time.time() * 1000) - 3_600_000

    def send(i, value, **more):
        return producer.send(topic, value, partition=0, timestamp_ms=begin + i * 1000, **more)

    send(0, b"v", key=b"k", headers=HEADERS).get(10)
    send(1, b"nokey").get(10)
    send(2, None, key=b"tombstone").get(10)
    send(3, b"", key=b"").get(10)
    for i in range(4, 100):
        send(i, b"%d" % i)
    producer.flush()

    consumer = KafkaConsumer(
        bootstrap_servers=KAFKA, consumer_timeout_ms=6000, auto_offset_reset="earliest"
    )
    consumer.assign([zero])
    full, keyless, tombstone, empty = (next(consumer) for _ in range(4))
    equal("headers keep order and repeats", list(full.headers), HEADERS)
    equal("the timestamp is the producer's", (full.timestamp, full.timestamp_type), (begin, 0))
    equal("a null key", (keyless.key, keyless.value), (None, b"nokey"))
    equal("a null value", (tombstone.key, tombstone.value), (b"tombstone", None))
    equal("empty is not null", (empty.key, empty.value), (b"", b""))

    equal("the beginning", consumer.beginning_offsets([zero]), {zero: 0})
    equal("the end", consumer.end_offsets([zero]), {zero: 100})
    equal("an empty partition ends at 0", consumer.end_offsets([one]), {one: 0})
    consumer.seek(zero, 42)
    equal("seek", next(consumer).offset, 42)
    consumer.seek_to_beginning(zero)
    equal("seek to the beginning", next(consumer).offset, 0)
    consumer.seek_to_end(zero)
    equal("seek to the end", consumer.position(zero), 100)

    def at(time_ms):
        return consumer.offsets_for_times({zero: time_ms})[zero]

    between = at(begin + 50_500)
    equal("a time between two", (between.offset, between.timestamp), (51, begin + 51_000))
    equal("a time before the first", at(begin - 1).offset, 0)
    equal("a time after the last", at(begin + 10**9), None)

    consumer.seek(zero, 10)
    consumer.pause(zero)
    equal("a paused partition gives nothing", consumer.poll(timeout_ms=700), {})
    consumer.resume(zero)
    equal("resumed", next(consumer).offset, 10)
    consumer.seek(zero, 5000)
    equal("out of range falls back to the start", next(consumer).offset, 0)
    check("the topic is listed", topic in consumer.topics())
    equal("its partitions too", consumer.partitions_for_topic(topic), {0, 1})


run(main)
