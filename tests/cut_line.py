"""A proxy before PostgreSQL, whose connections break at a commit or become silent for good.

It breaks them before the server has received the commit, or after.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


class Line:
    """Passes on everything, except for a commit that it was told to hold, and what it silences."""

    def __init__(self, listening: socket.socket, target: str) -> None:
        self._listening, self._target = listening, urlsplit(target)
        self._next: Cut | None = None
        self._held, self._cut = threading.Event(), threading.Event()
        self._laid: list[tuple[socket.socket, socket.socket, threading.Event]] = []

    @property
    def url(self) -> str:
        """The database's URL, through this proxy."""
        login = self._target.netloc.rpartition("@")[0]
        address = f"{login}@127.0.0.1:{self._listening.getsockname()[1]}"
        return self._target._replace(netloc=address).geturl()

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
        for _, _, silent in self._laid:
            silent.set()

    def close(self) -> None:
        for client, server, _ in self._laid:
            _close(client, server)

    def serve(self) -> None:
        target = (self._target.hostname or "", self._target.port or 0)
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(target)
                arguments = (client, server, threading.Event())
                self._laid.append(arguments)
                for pump in (self._up, self._down):
                    threading.Thread(target=pump, args=arguments, daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                if self._next and any(commit in data for commit in COMMITS):
                    self._hold(data, server, silent)
                    break
                if not silent.is_set():
                    server.sendall(data)
        self._end(client, server, silent)

    def _hold(self, data: bytes, server: socket.socket, silent: threading.Event) -> None:
        where, self._next = self._next, None
        if where is Cut.AFTER:
            silent.set()
            server.sendall(data)  # `_down` sees the answer
        else:
            self._held.set()
        self._cut.wait(DEADLINE_SECONDS)

    def _down(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(65536):
                if silent.is_set():
                    self._held.set()
                else:
                    client.sendall(data)
        self._end(client, server, silent)

    def _end(self, client: socket.socket, server: socket.socket, silent: threading.Event) -> None:
        if self._cut.is_set() or not silent.is_set():
            _close(client, server)


@contextmanager
def laid(target: str = "") -> Iterator[Line]:
    """A line to the database of this URL; by default, to the test database."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        line = Line(listening, target or url_of_test_database())
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
