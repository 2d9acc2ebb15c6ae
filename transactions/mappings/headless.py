"""Tells a file without a header that is read as if its first row were one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transactions.mappings import amounts
from transactions.mappings.guess import date_reader
from transactions.mappings.mapping import AMOUNTS, Column, ColumnMapping, Role
from transactions.statements.values import Malformed


def names_are_values(mapping: ColumnMapping) -> bool:
    """Whether the name of a column is such a date, or such an amount, as is below it.

    Then the names are of a row: perhaps a person's, or what somebody paid for.
    """
    return mapping.header and any(
        _is_value(mapping, name, column) for name, column in mapping.columns.items()
    )


def _is_value(mapping: ColumnMapping, name: str, column: Column) -> bool:
    read: Callable[[str], Any]
    if column.role is Role.DATE:
        read = date_reader(column.format)
    elif column.role in AMOUNTS:
        read = amounts.reader(mapping.decimal or ".", mapping.thousands)
    else:
        return False
    try:
        read(name)
    except Malformed:
        return False
    return True
