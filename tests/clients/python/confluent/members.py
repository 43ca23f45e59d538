"""A group member that polls in a thread of its own and notes what it owns and receives."""

import threading

from confluent_kafka import Consumer

from checks import KAFKA


class Member(threading.Thread):
    """One member of a group over one topic."""

    def __init__(self, topic, group, name, **settings):
        super().__init__(daemon=True)
        self.topic = topic
        self.received, self.revoked, self.errors = [], [], []
        self.owned = set()
        self._ended = threading.Event()
        self._consumer = Consumer(
            {
                "bootstrap.servers": KAFKA,
                "group.id": group,
                "client.id": name,
                "auto.offset.reset": "earliest",
                **settings,
            }
        )
        self.start()

    def run(self):
        self._consumer.subscribe([self.topic], on_revoke=self._on_revoke)
        while not self._ended.is_set():
            message = self._consumer.poll(0.1)
            if message is not None and message.error():
                self.errors.append(message.error())
            elif message is not None:
                self.received.append(int(message.value()))
            self.owned = {partition.partition for partition in self._consumer.assignment()}
        self._consumer.close()
        self.owned = set()

    def _on_revoke(self, consumer, partitions):
        self.revoked.append({partition.partition for partition in partitions})

    def leave(self):
        """Leaves the group, having closed."""
        self._ended.set()
        self.join(20)
