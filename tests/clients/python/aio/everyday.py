"""aiokafka: produce, two members of a group with commits, offsets by time, transactions."""

import asyncio
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from checks import KAFKA, check, equal, run, unique


async def until(condition, seconds=30):
    """Waits until a condition holds; whether it came to."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return condition()


async def produce(topic):
    producer = AIOKafkaProducer(
        bootstrap_servers=KAFKA, acks="all", enable_idempotence=True, compression_type="gzip"
    )
    await producer.start()
    sent = [
        await producer.send(topic, b"%d" % i, key=b"k%d" % i, partition=i % 4) for i in range(400)
    ]
    metadata = await asyncio.gather(*sent)
    equal("each has an offset", sorted(one.offset for one in metadata)[-1], 99)
    await producer.stop()


async def consume(topic):
    group, received, members = unique("aio-group"), [], []

    async def member():
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=KAFKA,
            group_id=group,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            session_timeout_ms=10000,
            heartbeat_interval_ms=500,
        )
        await consumer.start()
        members.append(consumer)
        try:
            while True:
                batches = await consumer.getmany(timeout_ms=200)
                received.extend(int(one.value) for batch in batches.values() for one in batch)
                if batches:
                    await consumer.commit()
        finally:
            await consumer.stop()

    one = asyncio.create_task(member())
    check("a member reads all", await until(lambda: len(received) >= 400), len(received))
    two = asyncio.create_task(member())

    def shared():
        return [len(one.assignment()) for one in members] == [2, 2]

    check("two members share", await until(shared, 40), [m.assignment() for m in members])
    equal("each once", sorted(received), list(range(400)))
    for task in (one, two):
        task.cancel()
    await asyncio.gather(one, two, return_exceptions=True)

    reader = AIOKafkaConsumer(bootstrap_servers=KAFKA, group_id=group)
    await reader.start()
    partitions = [TopicPartition(topic, i) for i in range(4)]
    committed = [await reader.committed(one) for one in partitions]
    equal("commits are kept", committed, [100] * 4)
    equal("the ends", await reader.end_offsets(partitions), {one: 100 for one in partitions})
    by_time = await reader.offsets_for_times({partitions[0]: 0})
    equal("the offset of time 0", by_time[partitions[0]].offset, 0)
    await reader.stop()


async def transact(topic):
    producer = AIOKafkaProducer(bootstrap_servers=KAFKA, transactional_id=unique("aio-transaction"))
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(topic, b"committed")
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b"aborted")
    await producer.abort_transaction()
    async with producer.transaction():
        await producer.send_and_wait(topic, b"committed too")
    await producer.stop()

    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=KAFKA,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
    )
    await consumer.start()
    values = []
    while len(values) < 2:
        message = await asyncio.wait_for(consumer.getone(), 20)
        values.append(message.value)
    equal("read_committed", values, [b"committed", b"committed too"])
    await consumer.stop()


async def everything():
    topic, transactional = unique("aio"), unique("aio-transactional")
    admin = AIOKafkaAdminClient(bootstrap_servers=KAFKA)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 4, 1), NewTopic(transactional, 1, 1)])
    check("topics are listed", {topic, transactional} <= set(await admin.list_topics()))
    await produce(topic)
    await consume(topic)
    await transact(transactional)
    await admin.delete_topics([topic, transactional])
    await admin.close()


def main():
    asyncio.run(everything())


run(main)
