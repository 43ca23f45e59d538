"""Every codec, mixed in one topic, each record read back whole and in order."""

from kafka import KafkaConsumer, KafkaProducer

from checks import KAFKA, check, run, unique


def main():
    topic, wanted = unique("codecs"), []
    for codec in (None, "gzip", "snappy", "lz4", "zstd"):
        producer = KafkaProducer(
            bootstrap_servers=KAFKA,
            compression_type=codec,
            acks="all",
            linger_ms=20,
            batch_size=65536,
        )
        sends = []
        for i in range(300):
            value = f"{codec}-{i}-{'payload ' * 40}".encode()
            wanted.append(value)
            sends.append(producer.send(topic, value, b"%d" % i, headers=[("codec", b"c")]))
        producer.flush()
        check(f"{codec} is acknowledged", all(one.succeeded() for one in sends))
        producer.close()

    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=KAFKA,
        auto_offset_reset="earliest",
        consumer_timeout_ms=8000,
        check_crcs=True,
    )
    found = [record.value for record, _ in zip(consumer, wanted)]
    check("every record comes back, in order", found == wanted, f"{len(found)} records")


run(main)
