"""An end to all that a call to somebody else's server may take.

A time-out bounds one wait; who sends a byte a second never runs into it.
"""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

Watch = Callable[[socket.socket], None]


class DeadlinePassed(Exception):
    """The time was over, and the connections were cut."""


@contextmanager
def cut_off(seconds: float) -> Iterator[Watch]:
    """Shuts the sockets that it is told of, when the time is over and ever after.

    Raises:
        DeadlinePassed: also where all seems well, as a body without a length ends where it was cut.
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
    """The pool of connections, that tells of each that it makes."""
    kind: Any = pool.ConnectionCls

    class Watched(kind):  # type: ignore[misc]
        def connect(self) -> None:
            super().connect()
            watch(self.sock)

    pool.ConnectionCls = Watched
    return pool
