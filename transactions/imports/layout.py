"""The layout of an uploaded file: its form, and what it takes to read it.

It does not import Django, so that the processes that encode stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from transactions.statements.recognition import STATEMENTS

CSV, NDJSON = "csv", "ndjson"

SEPARATORS = (",", ";")
BOM = "\ufeff"
# The longest valid row, with every character escaped, is a quarter of this. In bytes for a line,
# and in characters for a CSV row, which may have several lines.
MAX_ROW_LENGTH = 64 * 1024


@dataclass(frozen=True)
class Layout:
    """`columns` are a CSV file's, in its order; NDJSON names them in each line.

    `encoding` is that of a bank's file or of a foreign CSV; our own are in UTF-8. `mapping` says
    what a foreign CSV's columns are, as JSON; `is_guessed`: it was found in the file. `by_user`:
    each row names the user whose it is.
    """

    form: str
    separator: str = ","
    columns: tuple[str, ...] = ()
    encoding: str = "utf-8"
    mapping: dict[str, Any] | None = None
    is_guessed: bool = False
    by_user: bool = False

    @property
    def is_from_bank(self) -> bool:
        return self.form in STATEMENTS
