"""Whose the rows of a batch are, and what it takes to judge them.

Nothing here needs Django's apps, as in `checking`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fido.lib.values.strict_json import read_json
from transactions.imports.layout import NDJSON, Layout
from transactions.imports.reading import Raw, Record
from transactions.mappings.mapping import Role, parsed
from transactions.mappings.rows import Places

USER_ID = "user_id"


@dataclass(frozen=True)
class Person:
    """Who owns rows. A `user_id` of None is nobody, and their rows are refused.

    `defaults` replace values that a row omits: `full_name` and `currency`. `wallets` has the ids of
    the open wallets by name. `recorded_by` is as a transaction stores it.
    """

    user_id: int | None = None
    defaults: Mapping[str, Any] = field(default_factory=dict)
    wallets: Mapping[str, str] = field(default_factory=dict)
    recorded_by: int | None = None


NOBODY = Person()


@dataclass(frozen=True)
class Share:
    """The rows of one person in a batch, in the order of the file."""

    person: Person
    records: list[Record]


def names_users(layout: Layout) -> bool:
    """Whether the rows of such a file can say whose they are."""
    return layout.form == NDJSON or _place(layout) is not None


def named_user(layout: Layout) -> Callable[[Raw], int | None]:
    """What finds the user that a row names; None: none, or it cannot be read."""
    place = _place(layout)

    def named(raw: Raw) -> object:
        if isinstance(raw, str):
            return _of_json(raw)
        if isinstance(raw, list) and place is not None and len(raw) > place:
            return raw[place].strip()
        return None

    return lambda raw: _id(named(raw))


def _place(layout: Layout) -> int | None:
    if layout.mapping:
        return Places(parsed(layout.mapping), layout.columns).only(Role.USER_ID)
    return layout.columns.index(USER_ID) if USER_ID in layout.columns else None


def _of_json(line: str) -> object:
    try:
        row = read_json(line)
    except (ValueError, RecursionError, ArithmeticError):
        return None
    return row.get(USER_ID) if isinstance(row, dict) else None


def _id(value: object) -> int | None:
    """A user's id as the checker compares it: its digits, without anything else."""
    text = str(value)
    is_id = text.isascii() and text.isdigit() and len(text) < 19 and not text.startswith("0")
    return int(text) if is_id else None
