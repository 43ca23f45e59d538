"""An idempotent producer with delivery reports; a consumer with commits, marks and end events."""

import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition

from checks import KAFKA, check, equal, run, unique

COUNT = 5000


def produce(topic):
    producer = Producer(
        {
            "bootstrap.servers": KAFKA,
            "enable.idempotence": True,
            "linger.ms": 5,
            "compression.type": "zstd",
        }
    )
    offsets, errors = [], []

    def delivered(error, message):
        if error:
            errors.append(error)
        elif message.partition() == 0:
            offsets.append(message.offset())

    for i in range(COUNT):
        headers = [("number", str(i).encode())]
        while True:
            try:
                producer.produce(topic, str(i), f"k{i % 7}", headers=headers, on_delivery=delivered)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    equal("flush leaves nothing", producer.flush(30), 0)
    equal("no delivery failed", errors, [])
    equal("each has an offset of its own", sorted(offsets), list(range(COUNT)))


def main():
    topic, group = unique("idempotent"), unique("idempotent-group")
    zero = TopicPartition(topic, 0)
    produce(topic)

    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "check.crcs": True,
        }
    )
    consumer.subscribe([topic])
    numbers, at_end = [], False
    give_up = time.monotonic() + 40
    while time.monotonic() < give_up and not (at_end and len(numbers) >= COUNT):
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            at_end = message.error().code() == KafkaError._PARTITION_EOF
            if not check("only the end interrupts", at_end, message.error()):
                break
            continue
        numbers.append(int(message.value()))
        if len(numbers) == COUNT // 2:
            consumer.commit(message, asynchronous=False)
    equal("in order, once each", numbers, list(range(COUNT)))
    check("the end is told", at_end)
    equal("the commit", consumer.committed([zero], timeout=10)[0].offset, COUNT // 2)
    equal("the marks", consumer.get_watermark_offsets(zero, timeout=10), (0, COUNT))
    first = consumer.offsets_for_times([TopicPartition(topic, 0, 0)], timeout=10)[0]
    equal("the offset of time 0", first.offset, 0)
    consumer.close()


run(main)
