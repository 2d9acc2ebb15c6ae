"""A proxy before PostgreSQL, whose connections break at a commit or become silent for good.

It breaks them before the server has received the commit, or after.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlsplit

from tests.races import DEADLINE_SECONDS
from tests.worker import url_of_test_database

# A statement outside a transaction commits by itself.
COMMITS = (b"COMMIT\0", b"WITH met AS (INSERT INTO fido_idempotencykey")


class Cut(Enum):
    """Where a commit is held up until the connection is cut."""

    BEFORE = "before PostgreSQL has heard of it"
    AFTER = "after it has committed, before it can say so"


@dataclass(frozen=True, eq=False)
class Laid:
    """One connection: from a client to this proxy, and from here to the server."""

    client: socket.socket
    server: socket.socket
    silent: threading.Event = field(default_factory=threading.Event)

    @property
    def is_over(self) -> bool:
        return self.client.fileno() < 0 and self.server.fileno() < 0


class Line:
    """Passes on everything, except for a commit that it was told to hold, and what it silences."""

    def __init__(self, listening: socket.socket, database_url: str) -> None:
        self._listening, self.database_url = listening, database_url
        self._next: Cut | None = None
        self._held, self._cut = threading.Event(), threading.Event()
        self._laid = set[Laid]()

    @property
    def url(self) -> str:
        """The database's URL, through this proxy."""
        url = urlsplit(self.database_url)
        login = url.netloc.rpartition("@")[0]
        return url._replace(netloc=f"{login}@127.0.0.1:{self._listening.getsockname()[1]}").geturl()

    def hold_next_commit(self, where: Cut) -> None:
        self._held.clear()
        self._cut.clear()
        self._next = where

    def wait_until_held(self) -> None:
        assert self._held.wait(DEADLINE_SECONDS), "nobody has committed"

    def cut(self) -> None:
        """Break the connection whose commit is held."""
        self._cut.set()

    def silence(self) -> None:
        """Swallow all that is sent on the connections that there are, even that they are closed.

        New ones work.
        """
        for laid in list(self._laid):
            laid.silent.set()

    def hang_up(self) -> None:
        """Tell PostgreSQL alone that the silent connections are gone, as its own probes would."""
        for laid in list(self._laid):
            if laid.silent.is_set():
                _close(laid.server)

    def close(self) -> None:
        for laid in list(self._laid):
            _close(laid.client, laid.server)

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                self._lay(client)

    def _lay(self, client: socket.socket) -> None:
        target = urlsplit(self.database_url)
        try:
            server = socket.create_connection((target.hostname or "", target.port or 0))
        except OSError:
            _close(client)
            return
        laid = Laid(client, server)
        self._laid.add(laid)
        for pump in (self._up, self._down):
            threading.Thread(target=pump, args=(laid,), daemon=True).start()

    def _up(self, laid: Laid) -> None:
        with contextlib.suppress(OSError):
            while data := laid.client.recv(65536):
                if self._next and any(commit in data for commit in COMMITS):
                    self._hold(data, laid)
                    break
                if not laid.silent.is_set():
                    laid.server.sendall(data)
        self._end(laid, laid.client)

    def _hold(self, data: bytes, laid: Laid) -> None:
        where, self._next = self._next, None
        if where is Cut.AFTER:
            laid.silent.set()
            laid.server.sendall(data)  # `_down` sees the answer
        else:
            self._held.set()
        self._cut.wait(DEADLINE_SECONDS)

    def _down(self, laid: Laid) -> None:
        with contextlib.suppress(OSError):
            while data := laid.server.recv(65536):
                if laid.silent.is_set():
                    self._held.set()
                else:
                    laid.client.sendall(data)
        self._end(laid, laid.server)

    def _end(self, laid: Laid, ended: socket.socket) -> None:
        is_silent = laid.silent.is_set() and not self._cut.is_set()
        _close(*([ended] if is_silent else [laid.client, laid.server]))
        if laid.is_over:
            self._laid.discard(laid)


@contextmanager
def laid(database_url: str = "") -> Iterator[Line]:
    """To the test database, or to another one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = Line(listening, database_url or url_of_test_database())
        threading.Thread(target=line.serve, daemon=True).start()
        try:
            yield line
        finally:
            line.cut()
            line.close()
            listening.shutdown(socket.SHUT_RDWR)


def _close(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()
