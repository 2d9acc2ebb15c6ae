"""Ends a process in which something has stopped for good, so that its supervisor starts it again.

All waits that we know have limits (docs/waits.md). This is for the one that has none. The rule:
whatever a thread is at, it goes on within PROGRESS_SECONDS. `begin` and `end` say what it is at. It
goes on whenever a wait for PostgreSQL ends, and where else it calls `progressed`.
"""

import os
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident

import structlog
from django.conf import settings

from fido.lib.process.statuses import STUCK

logger = structlog.get_logger("fido.watchdog")

# Time is counted in rounds of the watching thread, not by a clock: a process that was stopped for
# an hour, as in a container that was paused, has not been stuck for an hour.
ROUND_SECONDS = 1.0
LOG_SECONDS = 5.0


@dataclass
class _Work:
    name: str
    went_on: int  # the round in which it last did


class _Rounds:
    count = 0


_under_way: dict[int, _Work] = {}  # by the identity of the thread


def begin(name: str) -> None:
    """From here to `end`, the calling thread has to go on. `name` is for the log."""
    _under_way[get_ident()] = _Work(name, _Rounds.count)


def end() -> None:
    _under_way.pop(get_ident(), None)


@contextmanager
def under_way(name: str) -> Iterator[None]:
    """Inside, the calling thread has to go on."""
    begin(name)
    try:
        yield
    finally:
        end()


def progressed() -> None:
    """The calling thread goes on."""
    if work := _under_way.get(get_ident()):
        work.went_on = _Rounds.count


def watch() -> None:
    """Watch this process from now on. Not before a fork, which takes no other thread along."""
    threading.Thread(target=_watch, name="watchdog", daemon=True).start()


def _watch() -> None:
    while True:
        time.sleep(ROUND_SECONDS)
        _Rounds.count += 1
        for thread, work in list(_under_way.items()):
            if _Rounds.count - work.went_on > settings.PROGRESS_SECONDS:
                _end_process(thread, work)


def _end_process(thread: int, work: _Work) -> None:
    # The log may be what is stuck.
    forced = threading.Timer(LOG_SECONDS, os._exit, [STUCK])
    forced.daemon = True
    forced.start()
    logger.critical(
        "No progress: the process ends, to be started again.",
        work=work.name,
        seconds=settings.PROGRESS_SECONDS,
        at=_lines(thread),
    )
    os._exit(STUCK)


def _lines(thread: int) -> list[str]:
    """Where the thread is, the innermost call last. Code alone, no values."""
    stack = traceback.extract_stack(sys._current_frames().get(thread))
    return [f"{each.filename}:{each.lineno} {each.name}" for each in stack]
