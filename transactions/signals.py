"""Signals that tell higher apps about this app's writes."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from django.dispatch import Signal

from transactions.models import Transaction


@dataclass(frozen=True)
class Change:
    """One row before and after. `before` is None for a new one, `after` for a deleted one."""

    before: Transaction | None
    after: Transaction | None


@dataclass(frozen=True)
class DayMoved:
    """The sums of many rows of one user on one UTC day in one currency, in its units.

    Of deleted rows they are negative.
    """

    day: date
    currency: str
    count: int
    credit: Decimal
    debit: Decimal


@dataclass(frozen=True)
class Loaded:
    """Many new rows of one user: their sums, and the first and the last id, both of one block."""

    user_id: int
    moved: list[DayMoved]
    ids: tuple[UUID, UUID]


# Sent with `changes: list[Change]` within the write. A receiver returns the rows that it adds to
# its own tables, unsaved: they are inserted with the change, all or none. A receiver that raises
# undoes the write.
transactions_changed = Signal()

# The same for too many new rows to list one by one. Sent with `loaded: list[Loaded]`.
transactions_loaded = Signal()

# The same for many rows that are deleted. Sent with `user_id` and `moved`, which is negative.
transactions_unloaded = Signal()
