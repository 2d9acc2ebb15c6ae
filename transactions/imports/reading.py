"""Records of a file, one by one and with their line numbers, however large it is."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import islice
from typing import TextIO

from transactions.imports.layout import CSV, Layout

# A CSV's cells, or a line of NDJSON; None cannot be told apart into cells.
Raw = list[str] | str | None
# The number of the line that it begins on, counted from 1, and what it holds.
Record = tuple[int, Raw]


def records(text: TextIO, layout: Layout) -> Iterator[Record]:
    """All records after the header, blank lines left out. `text` is read with newline=""."""
    return _cells(text, layout) if layout.form == CSV else _lines(text)


def batches(rows: Iterator[Record], size: int) -> Iterator[list[Record]]:
    while batch := list(islice(rows, size)):
        yield batch


def _cells(text: TextIO, layout: Layout) -> Iterator[Record]:
    reader = csv.reader(text, delimiter=layout.separator, strict=True)
    header_is_behind = False
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # a quote out of place, or one that never closes
            yield line, None
            continue
        if not any(map(str.strip, cells)):
            continue
        if header_is_behind:
            yield line, cells
        header_is_behind = True


def _lines(text: TextIO) -> Iterator[Record]:
    for number, line in enumerate(text, start=1):
        if content := line.strip():
            yield number, content
