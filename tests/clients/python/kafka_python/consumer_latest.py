"""Subscribers that begin at the end and commit by themselves, two groups in background threads."""

import json
import threading

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from checks import KAFKA, check, equal, run, unique, until


class Subscriber(threading.Thread):
    """One group with one member."""

    def __init__(self, topic, group):
        super().__init__(daemon=True)
        self.topic, self.group = topic, group
        self.values = []
        self.ready, self.stop = threading.Event(), threading.Event()
        self.start()

    def run(self):
        consumer = KafkaConsumer(
            self.topic,
            bootstrap_servers=[KAFKA],
            group_id=self.group,
            value_deserializer=lambda value: json.loads(value.decode()),
            auto_offset_reset="latest",
            enable_auto_commit=True,
            auto_commit_interval_ms=500,
            consumer_timeout_ms=300,
        )
        while not self.stop.is_set():
            self.values += [record.value for record in consumer]
            assigned = consumer.assignment()
            if assigned and all(consumer.position(one) is not None for one in assigned):
                self.ready.set()
        consumer.close()


def main():
    topic = unique("video-events")
    producer = KafkaProducer(
        bootstrap_servers=[KAFKA],
        value_serializer=lambda value: json.dumps(value).encode(),
        acks="all",
        linger_ms=10,
    )
    for i in range(20):
        producer.send(topic, {"event_type": "old", "i": i})
    producer.flush()

    groups = [Subscriber(topic, unique(name)) for name in ("recommendation", "analytics")]
    check("both groups are ready", until(lambda: all(one.ready.is_set() for one in groups), 30))
    for i in range(50):
        producer.send(topic, {"event_type": "video.watch_started", "i": i}, key=b"u%d" % i)
    producer.flush()
    until(lambda: all(len(one.values) >= 50 for one in groups), 20)
    for one in groups:
        found = [value["i"] for value in one.values]
        equal(f"{one.group.split('-')[0]} sees only what is new", found, list(range(50)))

    zero = TopicPartition(topic, 0)
    for one in groups:
        reader = KafkaConsumer(bootstrap_servers=KAFKA, group_id=one.group)
        committed = until(lambda: reader.committed(zero) == 70, 10)
        check("its offset is committed by itself", committed, reader.committed(zero))
        reader.close()
        one.stop.set()
        one.join(20)


run(main)
