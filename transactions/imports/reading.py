"""The records of a file, one by one with their line numbers, whatever its size."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TextIO

from transactions.imports.bank_files import Unread
from transactions.imports.identities import Identities
from transactions.imports.layout import CSV, MAX_ROW_LENGTH, Layout
from transactions.imports.proof import Proof
from transactions.mappings.mapping import ColumnMapping, parsed
from transactions.mappings.rows import content_of, status_in
from transactions.mappings.tables import fitting
from transactions.statements.values import Malformed


@dataclass(frozen=True)
class Unreadable:
    """Lines of a CSV, up to this one, that cannot be split into cells."""

    last_line: int


# A CSV row's cells, a line of NDJSON, or an entry of a bank's file by columns.
Raw = list[str] | str | Unreadable | dict[str, Any] | Unread
# The line number on which it begins, counted from 1, and its content.
Record = tuple[int, Raw]


def records(text: TextIO, layout: Layout, proof: Proof) -> Iterator[Record]:
    """All records after the header, without blank lines. `text` is read with newline="".

    What is not booked yet is left out, and `proof` counts it.
    """
    if layout.form != CSV:
        return _objects(text)
    lines = _Lines(text)
    if layout.mapping is None:
        _skip_header(lines)
        return _rows(lines, layout.separator)
    return _identified(lines, layout, parsed(layout.mapping), proof)


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


def _rows(lines: _Lines, separator: str) -> Iterator[tuple[int, list[str] | Unreadable]]:
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


def _identified(
    lines: _Lines, layout: Layout, mapping: ColumnMapping, proof: Proof
) -> Iterator[Record]:
    """A foreign CSV's rows, each with an external id as one cell more."""
    for _ in range((mapping.skip_lines or 0) + mapping.header):
        lines.begin_row()
        next(lines, None)
    ids, width = Identities(), len(layout.columns)
    content, status = content_of(mapping, layout.columns), status_in(mapping, layout.columns)
    for number, cells in _rows(lines, layout.separator):
        if isinstance(cells, Unreadable):
            yield number, cells
        elif row := fitting(cells, width):
            if _is_pending(row, status):
                proof.pending += 1
            else:
                yield number, [*row, ids.of("content", content(row))]
        else:
            yield number, []  # the wrong number of cells


def _is_pending(cells: list[str], status: Callable[[list[str]], str]) -> bool:
    with suppress(Malformed):  # then the row is refused
        return status(cells) == "pending"
    return False


def _objects(text: TextIO) -> Iterator[Record]:
    for number, line in enumerate(text, start=1):
        if content := line.strip():
            yield number, content
