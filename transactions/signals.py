"""How higher apps hear of what this one has written."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from django.dispatch import Signal

from transactions.models import Transaction


@dataclass(frozen=True)
class Change:
    """One row as it was and as it is. `before` is None for a new one, `after` for a deleted one."""

    before: Transaction | None
    after: Transaction | None


@dataclass(frozen=True)
class DayMoved:
    """What many new rows of one user add up to on one UTC day in one currency, in its units."""

    day: date
    currency: str
    count: int
    credit: Decimal
    debit: Decimal


# Sent with `changes: list[Change]` inside the database transaction of the write, so that a
# receiver's rows commit or roll back with it; a receiver that raises undoes the write.
transactions_changed = Signal()

# The same for so many new rows that they are not spoken of one by one. Sent with `user_id`,
# `moved: list[DayMoved]`, and `ids`, the first and the last of theirs: they are from one block.
transactions_loaded = Signal()
