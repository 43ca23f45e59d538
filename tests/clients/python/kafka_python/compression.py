"""Every codec, mixed in one topic: stored as it was compressed, each record read back whole and in order."""

import kafka.consumer.fetcher as fetcher
from kafka import KafkaConsumer, KafkaProducer

from checks import KAFKA, check, equal, run, unique

# A stored batch says how it is compressed.
CODECS = {None: 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}


class Batches(fetcher.MemoryRecords):
    """What a fetch brings, noting where batches begin and how each is compressed."""

    seen = {}

    def next_batch(self):
        batch = super().next_batch()
        if batch is not None:
            self.seen[batch.base_offset] = (batch.compression_type, batch.size_in_bytes)
        return batch


def main():
    topic, wanted, offsets = unique("codecs"), [], {}
    for codec in CODECS:
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
        if check(f"{codec} is acknowledged", all(one.succeeded() for one in sends)):
            offsets[codec] = {one.value.offset for one in sends}
        producer.close()

    fetcher.MemoryRecords = Batches
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=KAFKA,
        auto_offset_reset="earliest",
        consumer_timeout_ms=8000,
        check_crcs=True,
    )
    found = [record.value for record, _ in zip(consumer, wanted)]
    check("every record comes back, in order", found == wanted, f"{len(found)} records")
    sizes = {}
    for codec, number in CODECS.items():
        batches = [Batches.seen[at] for at in sorted(offsets[codec]) if at in Batches.seen]
        equal(f"{codec} is stored as {codec}", {stored for stored, _ in batches}, {number})
        sizes[codec] = sum(size for _, size in batches)
    small = {codec: size for codec, size in sizes.items() if codec and size * 4 < sizes[None]}
    equal("and takes a fraction of the bytes", sorted(small), sorted(filter(None, CODECS)))


run(main)
