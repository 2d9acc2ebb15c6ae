"""A transaction as a line of CSV or of JSON."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any

from fido.lib.values import clock, money
from fido.lib.values.crypto.masking import HIDDEN, masked_name
from transactions.files.armour import armoured
from transactions.files.columns import FREE_TEXT, NAMES, SECRET

# A row's values in the order of NAMES, decrypted.
Row = Sequence[Any]

# A masked name has another column, because an import would treat it as a name.
MASKED_NAMES = tuple(f"masked_{name}" if name in SECRET else name for name in NAMES)
_ID, _NAME, _DESCRIPTION = (NAMES.index(name) for name in ("id", "full_name", "description"))
_AMOUNT, _CURRENCY = NAMES.index("transaction_amount"), NAMES.index("currency")
_TIMES = [NAMES.index(name) for name in ("transaction_date", "created_at", "updated_at")]
_FREE_TEXT = [NAMES.index(name) for name in FREE_TEXT]


@dataclass(frozen=True)
class FileFormat:
    """`head` returns the bytes before the first row; `lines` those of some rows."""

    media_type: str
    file_name: str
    head: Callable[[Sequence[str]], bytes]
    lines: Callable[[Sequence[str], list[list[Any]]], bytes]


def in_clear(row: Row) -> list[Any]:
    """The values in the format of the API's answers."""
    values = list(row)
    values[_ID] = str(row[_ID])
    values[_AMOUNT] = money.text(row[_AMOUNT], row[_CURRENCY])
    for place in _TIMES:
        values[place] = clock.text(row[place])
    return values


def masked(row: Row) -> list[Any]:
    """The same, with names masked."""
    values = in_clear(row)
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
    sink = StringIO(newline="")
    csv.writer(sink).writerows(rows)
    return sink.getvalue().encode()


def _no_head(columns: Sequence[str]) -> bytes:
    return b""


def _json_lines(columns: Sequence[str], rows: list[list[Any]]) -> bytes:
    # In ASCII, because some readers treat other characters besides the line feed as line ends.
    texts = [_encode(dict(zip(columns, row, strict=True))) for row in rows]
    return "".join(f"{text}\n" for text in texts).encode()


_encode = json.JSONEncoder(separators=(",", ":")).encode

FORMATS = {
    "csv": FileFormat("text/csv; charset=utf-8", "transactions.csv", _csv_head, _csv_lines),
    "ndjson": FileFormat("application/x-ndjson", "transactions.ndjson", _no_head, _json_lines),
}
