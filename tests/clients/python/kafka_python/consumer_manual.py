"""A worker that commits by itself: a topic made by its first record, commits per message, restarts."""

import json

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from checks import KAFKA, equal, run, unique


def main():
    topic, group = unique("orders"), unique("email-service")
    partition = TopicPartition(topic, 0)
    producer = KafkaProducer(
        bootstrap_servers=[KAFKA],
        value_serializer=lambda value: json.dumps(value).encode(),
        acks="all",
        retries=3,
    )
    for i in range(10):
        order = {"order_id": f"order-{i}", "total": 100.0}
        sent = producer.send(topic, key=f"order-{i}".encode(), value=order).get(timeout=15)
    equal("a topic is made by its first record", sent.topic, topic)

    def consumer(of=group):
        return KafkaConsumer(
            topic,
            bootstrap_servers=[KAFKA],
            group_id=of,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            consumer_timeout_ms=10000,
            value_deserializer=lambda value: json.loads(value.decode()),
        )

    first = consumer()
    seen = []
    for record in first:
        seen.append(record.value["order_id"])
        first.commit()
        if len(seen) == 4:
            break
    first.close()
    equal("the first four", seen, [f"order-{i}" for i in range(4)])

    second = consumer()
    rest = [record.value["order_id"] for record, _ in zip(second, range(6))]
    equal("a new member resumes at the commit", rest, [f"order-{i}" for i in range(4, 10)])
    equal("nothing was committed since", second.committed(partition), 4)
    second.commit({partition: OffsetAndMetadata(7, "note", -1)})
    equal("an explicit commit", second.committed(partition), 7)
    equal("its metadata is kept", second.committed(partition, metadata=True).metadata, "note")
    equal("the position is another matter", second.position(partition), 10)
    second.close()

    third = consumer()
    equal("the next one resumes there", [next(third).offset for _ in range(3)], [7, 8, 9])
    third.close()
    other = consumer(of=unique("other"))
    equal("another group reads everything", sum(1 for _ in zip(range(10), other)), 10)
    other.close()


run(main)
