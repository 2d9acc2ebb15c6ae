"""Several processes that encode in parallel, with their results in order.

We use our own pipes instead of a process pool: a pool's children outlive a parent killed with -9,
and Celery's processes may not have children of multiprocessing's kind.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from threading import Lock, local
from typing import IO, Any

from django.conf import settings

from transactions.imports.encoding import Encoded, Recipe
from transactions.imports.shares import Share

Batch = list[Share]
# Batches that may be pending per lane, so that it keeps working while one is committed.
AHEAD = 2


class Lane:
    """One process, which encodes one batch at a time."""

    def __init__(self, recipe: Recipe) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "transactions.imports.encoder"],
            cwd=settings.BASE_DIR,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._send(recipe)

    def encode(self, batch: Batch) -> list[Encoded]:
        """Each share, encoded. Raises EOFError or BrokenPipeError if the process has died."""
        self._send(batch)
        encoded: list[Encoded] = pickle.load(_pipe(self._process.stdout))  # noqa: S301 - our own child
        return encoded

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        # Nobody reads what is left in its pipe.
        with suppress(BrokenPipeError):
            _pipe(self._process.stdin).close()

    def _send(self, message: Any) -> None:
        pipe = _pipe(self._process.stdin)
        pickle.dump(message, pipe, pickle.HIGHEST_PROTOCOL)
        pipe.flush()


class Lanes:
    """Lanes with a thread for each, which waits for its answers. They start when there is work."""

    def __init__(self, recipe: Recipe, count: int) -> None:
        self._recipe, self._ahead = recipe, AHEAD * count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="import-lane")
        self._own = local()
        self._starting = Lock()
        self._lanes: list[Lane] = []
        self._closed = False

    def encoded(self, batches: Iterator[Batch]) -> Iterator[tuple[Batch, list[Encoded]]]:
        """Each batch with its shares' encodings, in order; the next ones are encoded meanwhile."""
        under_way = deque(map(self._start, islice(batches, self._ahead)))
        while under_way:
            batch, encoding = under_way.popleft()
            encoded = encoding.result()
            under_way.extend(map(self._start, islice(batches, 1)))
            yield batch, encoded

    def close(self) -> None:
        with self._starting:
            self._closed = True
        for lane in self._lanes:
            lane.close()
        self._pool.shutdown(cancel_futures=True)

    def _start(self, batch: Batch) -> tuple[Batch, Future[list[Encoded]]]:
        return batch, self._pool.submit(self._encode, batch)

    def _encode(self, batch: Batch) -> list[Encoded]:
        if not hasattr(self._own, "lane"):
            self._own.lane = self._new_lane()
        encoded: list[Encoded] = self._own.lane.encode(batch)
        return encoded

    def _new_lane(self) -> Lane:
        with self._starting:
            if self._closed:  # otherwise nothing would close it
                raise EOFError
            lane = Lane(self._recipe)
            self._lanes.append(lane)
        return lane


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
