"""Several processes that encode at once, their results in order.

Our own pipes rather than a process pool: a pool's children outlive a parent that is killed with
-9, and Celery's own processes may not have children of multiprocessing's kind.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from django.conf import settings

from transactions.imports.encoding import Encoded, Recipe
from transactions.imports.reading import Record

Batch = list[Record]


class Lane:
    """One process. It holds one batch at a time: with two, both sides could wait for the other."""

    def __init__(self, recipe: Recipe) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "transactions.imports.encoder"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send(recipe)

    def ask(self, batch: Batch) -> None:
        self._send(batch)

    def answer(self) -> Encoded:
        """Raises EOFError when the process has died."""
        encoded: Encoded = pickle.load(_pipe(self._process.stdout))  # noqa: S301 - our own child
        return encoded

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _send(self, message: Any) -> None:
        pipe = _pipe(self._process.stdin)
        pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
        pipe.flush()


class Lanes:
    def __init__(self, lanes: list[Lane]) -> None:
        self._lanes = lanes

    def encoded(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, Encoded]]:
        """Each batch with its encoding, in order; the next ones are encoded meanwhile."""
        under_way: deque[tuple[Lane, Batch]] = deque()
        for lane, batch in zip(self._lanes, batches, strict=False):
            lane.ask(batch)
            under_way.append((lane, batch))
        while under_way:
            lane, batch = under_way.popleft()
            encoded = lane.answer()
            if following := next(batches, None):
                lane.ask(following)
                under_way.append((lane, following))
            yield batch, encoded


@contextmanager
def running_lanes(recipe: Recipe, count: int) -> Iterator[Lanes]:
    lanes: list[Lane] = []
    try:
        for _ in range(count):
            lanes.append(Lane(recipe))  # noqa: PERF401 - those that started are closed
        yield Lanes(lanes)
    finally:
        for lane in lanes:
            lane.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
