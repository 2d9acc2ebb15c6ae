"""A deadline for a whole call to another server.

A timeout bounds one wait; a server that sends a byte a second never runs into it.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Watch = Callable[[socket.socket], None]


class DeadlinePassed(Exception):
    """The deadline passed, and the connections were closed."""


@contextmanager
def cut_off(seconds: float) -> Iterator[Watch]:
    """Shut the sockets it is given once the deadline passes, and any given after that.

    Raises:
        DeadlinePassed: even if the call seems to succeed, because a body without a length ends
            wherever it was cut.
    """
    sockets: list[socket.socket] = []
    over = threading.Event()

    def shut() -> None:
        over.set()
        for each in sockets:
            with suppress(OSError):  # closed already
                socket.socket.shutdown(each, socket.SHUT_RDWR)

    def watch(new: socket.socket) -> None:
        sockets.append(new)
        if over.is_set():
            shut()

    timer = threading.Timer(seconds, shut)
    timer.daemon = True
    timer.start()
    try:
        yield watch
    except Exception as error:
        if over.is_set():
            raise DeadlinePassed from error
        raise
    finally:
        timer.cancel()
    if over.is_set():
        raise DeadlinePassed


def watched(pool: Any, watch: Watch) -> Any:
    """The connection pool, which reports each connection that it makes."""
    kind: Any = pool.ConnectionCls

    class Watched(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            watch(self.sock)

    pool.ConnectionCls = Watched
    return pool
