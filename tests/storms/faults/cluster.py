"""A PostgreSQL that loses nothing it has acknowledged, and that can crash and come back."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from fido.embedded import postgres
from fido.embedded.process import unprivileged
from fido.embedded.servers import Host, Server
from fido.embedded.state import POSTGRES, State
from tests.cut_line import Line, laid
from tests.storms.faults.disk import Disk


class Cluster:
    """The service reaches it through `line`; `url` leads there directly, for who looks at it."""

    line: Line

    def __init__(self, disk: Disk) -> None:
        self.disk, state = disk, State(disk.folder)
        self._lock = state.open_lock("owner")
        account = unprivileged(postgres.program("postgres"), disk.folder)
        self._host = Host(state, account, self._lock)
        self._server: Server = postgres.start(self._host)

    @property
    def url(self) -> str:
        password = self._host.state.secrets()[POSTGRES]
        return f"postgres://fido:{password}@127.0.0.1:{self._server.port}/fido"

    def crash(self) -> None:
        """All its processes end at once; what follows is recovery from the log."""
        self._server.process.send_signal(signal.SIGQUIT)
        self._server.process.wait()

    def start(self) -> None:
        """It has another port then."""
        self._server = postgres.start(self._host)
        self.line.database_url = self.url

    def wait_until_up(self) -> None:
        """Recovery may be under way, or have failed for good."""
        while not self._answers():
            if self._server.process.poll() is not None:
                self.start()
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        self._server.stop()
        os.close(self._lock)


@contextmanager
def running(disk: Disk) -> Iterator[Cluster]:
    with contextlib.ExitStack() as stack:
        stack.callback(disk.remove)
        cluster = Cluster(disk)
        stack.callback(cluster.stop)
        cluster.line = stack.enter_context(laid(cluster.url))
        yield cluster
