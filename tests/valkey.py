"""A test's own Valkey, which can be taken away."""

import os
import random
import shutil
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from fido.embedded import valkey
from fido.embedded.process import spawn


class Valkey:
    """A server that can be paused, restarted and emptied; `folder` keeps its data."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder, self.options = folder, options
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [str(valkey.program()), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "yes", "--dir", str(self.folder)]
        with (self.folder / "log").open("ab") as log:
            self.process = spawn([*command, *self.options], death_signal=signal.SIGKILL, stdout=log)
        client = redis.Redis.from_url(self.url)
        while not self._answers(client):
            time.sleep(0.02)

    def freeze(self) -> None:
        """Make it accept connections and answer nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def pause(self, seconds: float) -> None:
        self.freeze()
        time.sleep(seconds)
        self.thaw()

    def refuse(self, seconds: float) -> None:
        """Refuse connections and lose what was sent: a cut network, with the data kept."""
        control = redis.Redis.from_url(self.url)
        control.config_set("maxclients", 1)
        control.client_kill_filter(_type="normal", skipme=True)
        time.sleep(seconds)
        control.config_set("maxclients", 1000)

    def restart(self, *, keep: bool, sig: signal.Signals = signal.SIGTERM) -> None:
        self.stop(sig)
        if not keep:
            self.forget()
        self.start()

    def forget(self) -> None:
        """Lose all data, while it is stopped."""
        shutil.rmtree(self.folder / "appendonlydir")

    def lose(self, seconds: float) -> None:
        """Crash the machine: the disk has not received the last seconds."""
        disk, copy = self.folder / "appendonlydir", self.folder / "before"
        shutil.copytree(disk, copy)
        time.sleep(seconds)
        self.stop(signal.SIGKILL)
        shutil.rmtree(disk)
        copy.rename(disk)
        self.start()

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(sig)
        self.process.wait()

    def crowd(self) -> None:
        """Fill a good part of a small server's memory with other data."""
        client = redis.Redis.from_url(self.url)
        with suppress(redis.RedisError), client.pipeline(transaction=False) as pipeline:
            for _ in range(300):
                pipeline.set(f"other:{random.random()}", os.urandom(1000), ex=60)
            pipeline.execute()

    @property
    def evicted(self) -> int:
        """How many keys it has evicted since its start."""
        count: int = redis.Redis.from_url(self.url).info("stats")["evicted_keys"]
        return count

    def _answers(self, client: Any) -> bool:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
