"""A member of a group, in a process of its own: stopped and killed from outside, it writes its history.

    python -m confluent.member_process HISTORY BOOTSTRAP TOPIC GROUP KIND
"""

import signal
import struct
import sys
import threading

from confluent_kafka import Consumer, KafkaException, TopicPartition

from history import History, now

# How many records are received before they are committed.
BATCH = 20
ENDED = threading.Event()
KINDS = {
    "range": {"partition.assignment.strategy": "range"},
    "cooperative": {"partition.assignment.strategy": "cooperative-sticky"},
    "consumer": {"group.protocol": "consumer"},
}
CLASSIC = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 300}


class Member:
    def __init__(self, history, bootstrap, topic, group, kind):
        self.name, self.history, self.topic = history, History(history), topic
        self.generation, self.changed = 0, False
        self.done, self.received = {}, 0
        settings = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.wait.max.ms": 50,
        }
        classic = {} if kind == "consumer" else CLASSIC
        self.consumer = Consumer({**settings, **classic, **KINDS[kind]})

    def known(self):
        """The generation it is in, as its metadata for transactions tells; the last one while in none."""
        head, metadata = b"CGMDv2:", self.consumer.consumer_group_metadata()
        if metadata is None or not metadata.startswith(head):
            raise RuntimeError(f"group metadata of another form: {metadata!r}")
        (generation,) = struct.unpack_from("=i", metadata, len(head))
        self.generation = generation if generation > 0 else self.generation
        return self.generation

    def assigned(self, _consumer, _partitions):
        self.changed = True
        self.known()

    def revoked(self, _consumer, partitions):
        self.changed = True
        self.commit()
        for one in partitions:
            self.done.pop(one.partition, None)

    def lost(self, _consumer, _partitions):
        # Others may have them already.
        self.changed = True
        self.done.clear()

    def commit(self):
        self.received = 0
        if not self.done:
            return
        began, generation = now(), self.known()
        offsets = [TopicPartition(self.topic, at, end) for at, end in self.done.items()]
        try:
            accepted = self.consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # A rebalance goes on, or the group has others by now. Who keeps its partitions, as members of a
            # cooperative group do, commits them the next time: nobody else receives these records again.
            print(f"{self.name}: {error}, of {self.done}", file=sys.stderr, flush=True)
            return
        for one in accepted:
            if one.error is None:
                del self.done[one.partition]
                self.history.note("C", generation, began, one.partition, one.offset)

    def run(self):
        self.consumer.subscribe([self.topic], on_assign=self.assigned, on_revoke=self.revoked, on_lost=self.lost)
        while not ENDED.is_set():
            # What is received now was given to it in this generation, or in one that begins meanwhile.
            generation, self.changed = self.known(), False
            message = self.consumer.poll(0.1)
            if self.changed:
                generation = self.generation
            if message is not None and not message.error():
                at, offset = message.partition(), message.offset()
                self.history.note("D", generation, now(), at, offset)
                self.done[at] = offset + 1
                self.received += 1
            if message is None or self.received >= BATCH:
                self.commit()
        self.consumer.close()


if __name__ == "__main__":
    # Before its history begins: who sees that knows that it will end in order.
    signal.signal(signal.SIGTERM, lambda *_: ENDED.set())
    Member(*sys.argv[1:]).run()
