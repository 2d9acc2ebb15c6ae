"""A CSV's beginning as rows, and its header among them."""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from transactions.mappings.mapping import SEPARATORS, ColumnMapping, plain

# Banks write the account's data above the table.
SEARCHED_LINES = 60
SAMPLE_ROWS = 200


@dataclass(frozen=True)
class Table:
    """`skipped` lines come before the header, or before the first row where there is none.

    `sample` are rows with as many cells as the header.
    """

    separator: str
    skipped: int
    header: tuple[str, ...]
    sample: tuple[tuple[str, ...], ...] = ()


def candidates(head: str) -> Iterator[Table]:
    """Each line that could be a header, from the top, without a sample."""
    for number, line in enumerate(islice(_lines(head), SEARCHED_LINES)):
        for separator in sorted(SEPARATORS, key=line.count, reverse=True):
            if separator in line:
                yield Table(separator, number, _cells(line, separator))


def at(head: str, mapping: ColumnMapping) -> Table | None:
    """The table that the mapping describes; None if no line has its columns."""
    if not mapping.header:
        return _without_header(head, mapping)
    names = {plain(name) for name in mapping.columns}
    for table in candidates(head):
        if mapping.delimiter not in {None, table.separator}:
            continue
        if mapping.skip_lines not in {None, table.skipped}:
            continue
        if names <= {plain(name) for name in table.header}:
            return table
    return None


def with_sample(head: str, table: Table, *, has_header: bool = True) -> Table:
    """The table with its first rows. A row that the end of `head` may have cut is left out."""
    lines = list(_lines(head))[table.skipped + has_header :]
    if lines and not lines[-1].endswith(("\n", "\r")) and len(lines) > 1:
        lines.pop()
    rows = islice(csv.reader(lines, delimiter=table.separator), SAMPLE_ROWS)
    sample: list[tuple[str, ...]] = []
    with contextlib.suppress(csv.Error):  # what could be read before has to do
        sample.extend(
            tuple(cells)
            for row in rows
            if any(map(str.strip, row)) and (cells := fitting(row, len(table.header)))
        )
    return Table(table.separator, table.skipped, table.header, tuple(sample))


def fitting(cells: list[str], width: int) -> list[str] | None:
    """The row with this many cells: empty ones more are dropped; None: it has others."""
    if len(cells) > width and not any(map(str.strip, cells[width:])):
        cells = cells[:width]
    return cells if len(cells) == width else None


def _without_header(head: str, mapping: ColumnMapping) -> Table | None:
    skipped = mapping.skip_lines or 0
    last = max(int(name) for name in mapping.columns)
    for line in islice(_lines(head), skipped, skipped + 1):
        separators = [mapping.delimiter] if mapping.delimiter else list(SEPARATORS)
        separator = max(separators, key=line.count)
        width = len(_cells(line, separator))
        if width >= last:
            return Table(separator, skipped, tuple(str(n) for n in range(1, width + 1)))
    return None


def _lines(head: str) -> Iterator[str]:
    return iter(io.StringIO(head, newline=""))


def _cells(line: str, separator: str) -> tuple[str, ...]:
    try:
        return tuple(cell.strip() for cell in next(csv.reader([line], delimiter=separator), ()))
    except csv.Error:
        return ()
