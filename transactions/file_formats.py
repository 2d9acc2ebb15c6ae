"""A transaction in a file: a line of CSV, or a line of JSON."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from fido.lib.values import clock, money
from fido.lib.values.crypto.masking import HIDDEN, masked_name
from transactions.csv_format import COLUMNS, FREE_TEXT, armoured

# A row's values in the order of COLUMNS, decrypted.
Row = Sequence[Any]

# A masked name is not a name, so it has another column: an import would take it for a name.
MASKED_COLUMNS = tuple(
    f"masked_{name}" if name in {"full_name", "description"} else name for name in COLUMNS
)
_NAME, _DESCRIPTION = COLUMNS.index("full_name"), COLUMNS.index("description")
_FREE_TEXT = [COLUMNS.index(name) for name in FREE_TEXT]


@dataclass(frozen=True)
class FileFormat:
    """`head` is the bytes before the first row; `lines` gives those of some rows."""

    media_type: str
    file_name: str
    head: Callable[[Sequence[str]], bytes]
    lines: Callable[[Sequence[str], list[list[Any]]], bytes]


def answered(row: Row) -> list[Any]:
    """The values in the format of the API's answers."""
    id_, user_id, name, date, amount, kind, currency, description, *ids, created, updated = row
    return [
        str(id_),
        user_id,
        name,
        clock.text(date),
        money.text(amount, currency),
        kind,
        currency,
        description,
        *ids,
        clock.text(created),
        clock.text(updated),
    ]


def masked(row: Row) -> list[Any]:
    """The same, with names masked."""
    values = answered(row)
    values[_NAME] = masked_name(values[_NAME])
    values[_DESCRIPTION] = values[_DESCRIPTION] and HIDDEN
    return values


def _csv_head(columns: Sequence[str]) -> bytes:
    return _csv([columns])


def _csv_lines(columns: Sequence[str], rows: list[list[Any]]) -> bytes:
    for row in rows:
        for place in _FREE_TEXT:
            if row[place] is not None:
                row[place] = armoured(row[place])
    return _csv(rows)


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    """RFC 4180. Null is an empty cell; armoured text is never empty."""
    sink = _Sink()
    csv.writer(sink).writerows(rows)
    return "".join(sink.written).encode()


class _Sink:
    def __init__(self) -> None:
        self.written: list[str] = []
        self.write = self.written.append


def _no_head(columns: Sequence[str]) -> bytes:
    return b""


def _json_lines(columns: Sequence[str], rows: list[list[Any]]) -> bytes:
    # In ASCII, because some readers treat more characters than the line feed as line ends.
    texts = [_encode(dict(zip(columns, row, strict=True))) for row in rows]
    return "".join(f"{text}\n" for text in texts).encode()


_encode = json.JSONEncoder(separators=(",", ":")).encode

FORMATS = {
    "csv": FileFormat("text/csv; charset=utf-8", "transactions.csv", _csv_head, _csv_lines),
    "ndjson": FileFormat("application/x-ndjson", "transactions.ndjson", _no_head, _json_lines),
}
