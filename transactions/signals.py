"""How higher apps hear of what this one has written."""

from dataclasses import dataclass

from django.dispatch import Signal

from transactions.models import Transaction


@dataclass(frozen=True)
class Change:
    """One row as it was and as it is. `before` is None for a new one, `after` for a deleted one."""

    before: Transaction | None
    after: Transaction | None


# Sent with `changes: list[Change]` inside the database transaction of the write, so that a
# receiver's rows commit or roll back with it; a receiver that raises undoes the write.
transactions_changed = Signal()
