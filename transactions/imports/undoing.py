"""Undoes an import, batch by batch: the last one first, so that balances take the same way back."""

from collections.abc import Callable

from accounts.models import User
from accounts.operations import Route, log_accesses
from transactions.imports import operations, queries
from transactions.imports.models import Import


def log(*, actor: User, row: Import, route: Route) -> None:
    """Log that `actor` has the rows of others deleted. Call it before it begins."""
    owners = queries.owners(row) if row.is_by_user else [row.user_id]
    log_accesses(actor=actor, subject_ids=owners, what=f"undo of import {row.pk}", route=route)


def is_done(row: Import, must_stop: Callable[[], bool], advance: Callable[[int], None]) -> bool:
    """Undo the rest of a claimed import; False: it was released, because it must stop.

    `advance` is told how many rows the batches had.

    Raises:
        LeaseLost
    """
    while batch := queries.next_to_undo(row):
        advance(operations.undo_batch(row=row, batch=batch))
        if must_stop():
            operations.release(row)
            return False
    return True
