"""Undoes an import, batch by batch: the last one first, so that balances take the same way back."""

from collections.abc import Callable

from transactions.imports import operations, queries
from transactions.imports.models import Import


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
