"""A broker of a case's own, for what cannot be done to one that others use: killing it, other settings."""

import os
import signal
import subprocess
import tempfile


class Broker:
    """`onrush serve` over a fresh directory, on ports of the system's choice that it keeps over restarts."""

    def __init__(self, settings=""):
        self._data = tempfile.TemporaryDirectory()
        self._config = os.path.join(self._data.name, "onrush.toml")
        with open(self._config, "w", encoding="utf-8") as file:
            file.write(settings)
        self._native = self.kafka = "127.0.0.1:0"
        self.start()

    def start(self):
        """Starts it and waits until it is ready."""
        self._process = subprocess.Popen(
            [os.environ["ONRUSH"], "serve", "--config", self._config]
            + ["--data", os.path.join(self._data.name, "data")]
            + ["--native", self._native, "--kafka", self.kafka],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = self._process.stdout.readline()
        addresses = dict(word.split("=", 1) for word in ready.split() if "=" in word)
        if "kafka" not in addresses:
            raise RuntimeError(f"the broker did not start: {ready!r}, {self._process.wait()}")
        self._native, self.kafka = addresses["native"], addresses["kafka"]

    def kill(self):
        """`kill -9`, waited for."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        self._data.cleanup()
