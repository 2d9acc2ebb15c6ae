"""Progress of a long command, on standard error: a bar on a terminal, otherwise plain lines."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

# A log needs a line only now and then.
SECONDS_BETWEEN_LINES = 10.0

Advance = Callable[[int], None]


@contextmanager
def progress(
    label: str,
    total: int | None = None,
    *,
    stream: TextIO | None = None,
    seconds_between_lines: float = SECONDS_BETWEEN_LINES,
) -> Iterator[Advance]:
    """Yield a function that takes how many more are done; `total` may be unknown."""
    stream = stream or sys.stderr
    if stream.isatty():
        with _bar(stream) as bar:
            task = bar.add_task(label, total=total)
            yield lambda done: bar.advance(task, done)
    else:
        lines = _Lines(label, total, stream, seconds_between_lines)
        yield lines.advance
        lines.write()


def _bar(stream: TextIO) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(file=stream))


class _Lines:
    def __init__(
        self, label: str, total: int | None, stream: TextIO, seconds_between: float
    ) -> None:
        self.label, self.stream, self.seconds_between = label, stream, seconds_between
        self.of_total = "" if total is None else f" of {total:,}"
        self.done = 0
        self.written_at = time.monotonic()

    def advance(self, done: int) -> None:
        self.done += done
        if time.monotonic() - self.written_at >= self.seconds_between:
            self.write()

    def write(self) -> None:
        print(f"{self.label}: {self.done:,}{self.of_total}", file=self.stream, flush=True)
        self.written_at = time.monotonic()
