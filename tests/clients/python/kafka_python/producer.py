"""A service's event stream: acks=all, retries, batches, string keys, JSON values; acks 0 and 1 too."""

import json
import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from checks import KAFKA, check, equal, run, unique, until


def main():
    topic = unique("orders")
    admin = KafkaAdminClient(bootstrap_servers=KAFKA)
    admin.create_topics([NewTopic(topic, num_partitions=3, replication_factor=1)])
    producer = KafkaProducer(
        bootstrap_servers=[KAFKA],
        value_serializer=lambda value: json.dumps(value).encode(),
        key_serializer=lambda key: key.encode() if key else None,
        acks="all",
        retries=3,
        batch_size=16384,
        linger_ms=10,
    )

    def publish(kind, payload, key):
        event = {"event_type": kind, "payload": payload, "timestamp": time.time()}
        return producer.send(topic, value=event, key=key).get(timeout=10)

    first = publish("video.watch_started", {"user": "user123", "video": "어벤져스"}, "user123")
    equal("the acknowledgement names the topic", first.topic, topic)
    equal("the first offset is 0", first.offset, 0)
    more = [publish("video.paused", {"i": i}, "user123") for i in range(5)]
    equal("one key, one partition", {one.partition for one in more}, {first.partition})
    equal("offsets rise by one", [one.offset for one in more], [1, 2, 3, 4, 5])

    sends = [producer.send(topic, key=f"user{i}", value={"i": i}) for i in range(2000)]
    producer.flush(timeout=30)
    check("2000 sends are acknowledged", all(one.succeeded() for one in sends))
    offsets = {}
    for one in sends:
        offsets.setdefault(one.value.partition, []).append(one.value.offset)
    equal("keys spread over the partitions", sorted(offsets), [0, 1, 2])
    dense = all(
        sorted(own) == list(range(min(own), min(own) + len(own))) for own in offsets.values()
    )
    check("offsets are dense in each partition", dense)

    consumer = KafkaConsumer(
        bootstrap_servers=KAFKA,
        auto_offset_reset="earliest",
        consumer_timeout_ms=8000,
        value_deserializer=json.loads,
    )
    partitions = [TopicPartition(topic, partition) for partition in range(3)]
    consumer.assign(partitions)
    equal("end offsets add up", sum(consumer.end_offsets(partitions).values()), 2006)
    records = [record for record, _ in zip(consumer, range(2006))]
    equal("all records come back", len(records), 2006)
    opening = next(r for r in records if r.partition == first.partition and r.offset == 0)
    equal("a UTF-8 payload is intact", opening.value["payload"]["video"], "어벤져스")
    equal("so is its key", opening.key, b"user123")

    forgetful = KafkaProducer(bootstrap_servers=KAFKA, acks=0, enable_idempotence=False)
    forgetful.send(topic, b'"fire and forget"', partition=0)
    forgetful.flush(10)
    forgetful.close()
    leader = KafkaProducer(bootstrap_servers=KAFKA, acks=1, enable_idempotence=False)
    equal("acks=1", leader.send(topic, b'"one"', partition=2).get(10).partition, 2)
    leader.close()
    arrived = until(lambda: sum(consumer.end_offsets(partitions).values()) == 2008, 10)
    check("the record of acks=0 arrives", arrived, consumer.end_offsets(partitions))
    admin.delete_topics([topic])


run(main)
