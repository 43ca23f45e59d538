"""Members in processes of their own join, leave, are killed and stopped while records flow.

`SIGSTOP` holds some beyond their session, so that others have their partitions when `SIGCONT` lets them go
on. What each received and committed is judged after the case (`history.py`): nothing lost or skipped, nothing
to two members of one generation. `ONRUSH_SEED` brings what happens back, though not when.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from broker import Broker
from checks import check, equal, run, until
from history import FOLDER, History

LONG = os.environ.get("ONRUSH_TESTS") == "all"
STEPS = int(os.environ.get("ROUNDS", 100 if LONG else 14))
SEED = int(os.environ.get("ONRUSH_SEED", random.randrange(1 << 32)))
TOPIC, GROUP, PARTITIONS, MEMBERS = "paced", "members", 6, 4
# Members of the new protocol have the session that the broker gives them.
BROKER = """
[group]
session_timeout_ms = 3000
heartbeat_interval_ms = 300
classic_session_min_ms = 1000
"""


KINDS = ["leaves", "is killed", "is stopped for long", "is stopped for long", "is stopped shortly"]


class Slot:
    """Where one member after the other lives."""

    def __init__(self, number, kafka, kind):
        self.number, self.life, self.process, self.stopped_until = number, 0, None, 0
        self._arguments = [kafka, TOPIC, GROUP, kind]

    def start(self):
        self.life += 1
        command = [sys.executable, "-m", "confluent.member_process", self.history()]
        self.process = subprocess.Popen(command + self._arguments)

    def history(self):
        return f"member-{self.number}-{self.life}"

    def has_begun(self):
        return os.path.exists(os.path.join(FOLDER, self.history()))

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def tell(self, number):
        self.process.send_signal(number)

    def stop_for(self, seconds):
        self.tell(signal.SIGSTOP)
        self.stopped_until = time.monotonic() + seconds

    def go_on_if_due(self, at):
        if self.stopped_until and at >= self.stopped_until:
            self.tell(signal.SIGCONT)
            self.stopped_until = 0


class Input(threading.Thread):
    """Keeps records coming."""

    def __init__(self, kafka):
        super().__init__(daemon=True)
        self.counts, self._ended = [0] * PARTITIONS, threading.Event()
        self._producer = Producer({"bootstrap.servers": kafka, "enable.idempotence": True})
        self.start()

    def run(self):
        dice = random.Random(SEED)
        while not self._ended.wait(0.02):
            for _ in range(4):
                at = dice.randrange(PARTITIONS)
                self._producer.produce(TOPIC, b"%d" % self.counts[at], partition=at)
                self.counts[at] += 1
            self._producer.poll(0)
        self._producer.flush(60)

    def end(self):
        self._ended.set()
        self.join(70)


def happen(dice, slot, met, wanted=None):
    """Something happens to a member: what is wanted, if it runs."""
    if not slot.runs():
        what = "starts"
        slot.start()
    elif slot.stopped_until:
        what = "is left stopped"
    else:
        what = wanted or dice.choice(KINDS)
        if what == "leaves":
            slot.tell(signal.SIGTERM)
        elif what == "is killed":
            slot.tell(signal.SIGKILL)
            slot.process.wait()
        else:
            slot.stop_for(dice.uniform(3.5, 6) if what == "is stopped for long" else dice.uniform(0.2, 1.5))
    met[what] = met.get(what, 0) + 1


def main():
    kind = sys.argv[1]
    print(f"paused members, {kind}: ROUNDS={STEPS} ONRUSH_SEED={SEED}", flush=True)
    dice, met = random.Random(SEED), {}
    with Broker(BROKER) as broker:
        admin = AdminClient({"bootstrap.servers": broker.kafka})
        admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(20)
        # Nobody commits with it: it only looks.
        looks = Consumer({"bootstrap.servers": broker.kafka, "group.id": GROUP, "enable.auto.commit": False})

        def committed():
            asked = [TopicPartition(TOPIC, at) for at in range(PARTITIONS)]
            return [max(one.offset, 0) for one in looks.committed(asked, timeout=20)]

        slots = [Slot(number, broker.kafka, kind) for number in range(MEMBERS)]
        for slot in slots:
            slot.start()
        records = Input(broker.kafka)
        check("the group gets on", until(lambda: sum(committed()) > 0, 60))
        first = ["is stopped for long", "is killed", "leaves"]
        for step in range(STEPS):
            if step < len(first):
                happen(dice, slots[step], met, first[step])
            else:
                happen(dice, dice.choice(slots), met)
            # The pace of what happens.
            pause = time.monotonic() + dice.uniform(0.2, 1.5)
            while time.monotonic() < pause:
                time.sleep(0.05)
                for slot in slots:
                    slot.go_on_if_due(time.monotonic())
        for slot in slots:
            slot.go_on_if_due(float("inf"))
            if not slot.runs():
                slot.start()
        records.end()
        until(lambda: committed() == records.counts, 90)
        equal("the group comes to the end", committed(), records.counts)
        until(lambda: all(slot.has_begun() for slot in slots))
        for slot in slots:
            slot.tell(signal.SIGTERM)
        ends = [slot.process.wait(30) for slot in slots]
        equal("members end in order", ends, [0] * MEMBERS)
        history = History("records")
        for at, (count, offset) in enumerate(zip(records.counts, committed())):
            history.note("A", at, count)
            history.note("F", at, offset)
        print(f"a member {met}, of {sum(records.counts)} records", flush=True)
        looks.close()


run(main)
