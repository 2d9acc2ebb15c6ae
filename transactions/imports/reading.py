"""The records of a file, one by one with their line numbers, whatever its size."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, TextIO

from transactions.imports.bank_files import Unread
from transactions.imports.layout import CSV, MAX_ROW_LENGTH, Layout


@dataclass(frozen=True)
class Unreadable:
    """Lines of a CSV, up to this one, that cannot be split into cells."""

    last_line: int


# A CSV row's cells, a line of NDJSON, or an entry of a bank's file by columns.
Raw = list[str] | str | Unreadable | dict[str, Any] | Unread
# The line number on which it begins, counted from 1, and its content.
Record = tuple[int, Raw]


def records(text: TextIO, layout: Layout) -> Iterator[Record]:
    """All records after the header, without blank lines. `text` is read with newline=""."""
    return _rows(_Lines(text), layout.separator) if layout.form == CSV else _objects(text)


def batches(rows: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while batch := list(islice(rows, size)):
        yield batch


class _Lines(Iterator[str]):
    """A file's lines, counted. Each `begin_row` allows as many as a row may have.

    Otherwise an unclosed quote, or a row with endless cells, would be read into memory whole.
    """

    def __init__(self, text: TextIO) -> None:
        self._lines = iter(text)
        self._left = 0
        self.number = 0

    def begin_row(self) -> None:
        self._left = MAX_ROW_LENGTH

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self._left -= len(line)
        if self._left < 0:
            raise csv.Error("the row is too long")
        return line


def _rows(lines: _Lines, separator: str) -> Iterator[Record]:
    _skip_header(lines)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        lines.begin_row()
        first = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a misplaced or unclosed quote
            yield first, Unreadable(lines.number)
            continue
        if any(map(str.strip, cells)):
            yield first, cells


def _skip_header(lines: _Lines) -> None:
    # Read as a line, as the layout was. A CSV reader may fail on the header, and would then take
    # the first row for it.
    lines.begin_row()
    for line in lines:
        if line.strip():
            return
        lines.begin_row()


def _objects(text: TextIO) -> Iterator[Record]:
    for number, line in enumerate(text, start=1):
        if content := line.strip():
            yield number, content
