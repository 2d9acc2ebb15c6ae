"""How an uploaded file is written: CSV or NDJSON, its separator and its columns."""

from __future__ import annotations

import csv
from dataclasses import dataclass

from fido.lib.problems import DomainError

REQUIRED = frozenset({"transaction_date", "transaction_amount", "transaction_type"})
OPTIONAL = frozenset({"full_name", "currency", "description", "external_id"})
# An export has them; what is imported gets its own.
IGNORED = frozenset({"id", "user_id", "created_at", "updated_at"})
COLUMNS = REQUIRED | OPTIONAL | IGNORED
CSV, NDJSON = "csv", "ndjson"
SEPARATORS = (",", ";")
BOM = "\ufeff"
# The longest row that could be valid, each character escaped, is a quarter of that. In bytes of a
# line, and in characters of a CSV's row, which may have several lines.
MAX_ROW_LENGTH = 64 * 1024


class UploadRefused(DomainError):
    """The file cannot be read as what it should be. Never quotes it: it is full of names."""

    code, title, status = "file-refused", "The file cannot be imported.", 400

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True)
class Layout:
    """`columns` are a CSV's, in its order; NDJSON names them in each line."""

    form: str
    separator: str = ","
    columns: tuple[str, ...] = ()


def layout_of(first_line: str) -> Layout:
    """What the first line that is not blank says of a file.

    Raises:
        UploadRefused: it is neither a JSON object nor a header with the required columns.
    """
    line = first_line.strip()
    if line.startswith("{"):
        return Layout(NDJSON)
    if line.startswith("["):
        raise UploadRefused("json-array", "JSON is read as one object on each line, in no array.")
    separator = max(SEPARATORS, key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        raise UploadRefused("malformed-header", "The header's quotes do not close.") from None
    columns = tuple(cell.strip().casefold() for cell in cells)
    _require_columns(columns)
    return Layout(CSV, separator, columns)


def _require_columns(columns: tuple[str, ...]) -> None:
    for number, name in enumerate(columns, start=1):
        if name not in COLUMNS:
            known = ", ".join(sorted(REQUIRED | OPTIONAL))
            detail = f"Column {number} of the first line is none of: {known}."
            raise UploadRefused("unknown-column", detail)
    if len(set(columns)) != len(columns):
        raise UploadRefused("repeated-column", "The header names a column twice.")
    if missing := sorted(REQUIRED - set(columns)):
        detail = f"The header lacks: {', '.join(missing)}."
        raise UploadRefused("missing-column", detail)
