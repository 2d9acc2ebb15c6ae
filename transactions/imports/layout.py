"""How an uploaded file is written: CSV or NDJSON, its separator and its columns.

Nothing of Django is imported here, so that the processes that encode stay small.
"""

from __future__ import annotations

from dataclasses import dataclass

CSV, NDJSON = "csv", "ndjson"
SEPARATORS = (",", ";")
BOM = "\ufeff"
# The longest row that could be valid, each character escaped, is a quarter of that. In bytes of a
# line, and in characters of a CSV's row, which may have several lines.
MAX_ROW_LENGTH = 64 * 1024


@dataclass(frozen=True)
class Layout:
    """`columns` are a CSV's, in its order; NDJSON names them in each line."""

    form: str
    separator: str = ","
    columns: tuple[str, ...] = ()
