"""Reads a file's layout from its first line."""

import csv

from fido.lib.values.errors import DomainError, Kind
from transactions.files.columns import IMPORTABLE, NAMES, REQUIRED
from transactions.imports.layout import CSV, NDJSON, SEPARATORS, Layout


class UploadRefused(DomainError):
    """The file is not in a valid format. Never quotes the file, because it is full of names."""

    code, title, kind = "file-refused", "The file cannot be imported.", Kind.INVALID

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def layout_of(first_line: str) -> Layout:
    """The layout of a file, given its first line that is not blank.

    Raises:
        UploadRefused: the line is neither a JSON object nor a header with the required columns.
    """
    line = first_line.strip()
    if line.startswith("{"):
        return Layout(NDJSON)
    if line.startswith("["):
        raise UploadRefused("json-array", "JSON must be one object per line, not an array.")
    separator = max(SEPARATORS, key=line.count)
    try:
        cells = next(csv.reader([line], delimiter=separator, strict=True))
    except (csv.Error, StopIteration):
        raise UploadRefused("malformed-header", "The header's quotes are malformed.") from None
    columns = tuple(cell.strip().casefold() for cell in cells)
    _require_columns(columns)
    return Layout(CSV, separator, columns)


def _require_columns(columns: tuple[str, ...]) -> None:
    for number, name in enumerate(columns, start=1):
        # All columns of an export are allowed. Imported rows get their own id and times.
        if name not in NAMES:
            known = ", ".join(sorted(IMPORTABLE))
            detail = f"Column {number} of the first line is not one of: {known}."
            raise UploadRefused("unknown-column", detail)
    if len(set(columns)) != len(columns):
        raise UploadRefused("repeated-column", "The header names a column twice.")
    if missing := sorted(set(REQUIRED) - set(columns)):
        detail = f"The header lacks: {', '.join(missing)}."
        raise UploadRefused("missing-column", detail)
