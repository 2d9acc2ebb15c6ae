"""Runs an import, or its undo, from its last committed batch to the end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from itertools import islice

from django.conf import settings

from fido.lib.process.database import is_busy
from transactions.imports import operations, spool, undoing
from transactions.imports.encoding import Encoder
from transactions.imports.lanes import Lanes
from transactions.imports.layout import Layout
from transactions.imports.models import Import
from transactions.imports.parts import Part
from transactions.imports.people import people_of
from transactions.imports.proof import Proof
from transactions.imports.source import recipe_of, records_of
from transactions.statements.items import NotReadable

logger = logging.getLogger(__name__)


def _unheard(rows: int) -> None:
    pass


def run(
    row: Import, *, must_stop: Callable[[], bool], advance: Callable[[int], None] = _unheard
) -> None:
    """Import the rest of a claimed import, batch by batch, or undo it.

    Releases it to another worker if `must_stop` says so or an error interrupts it. Fails it if it
    was interrupted too often without progress. `advance` is told how many rows were read.
    """
    try:
        failure = _failure(row, must_stop, advance)
        if failure is not None:
            operations.finish(row, failure=failure)
    except operations.LeaseLost:
        logger.warning("Import %s was cancelled or taken over.", row.pk)
    except BaseException as error:
        operations.release(row, was_busy=is_busy(error))
        raise


def _failure(
    row: Import, must_stop: Callable[[], bool], advance: Callable[[int], None]
) -> str | None:
    """The reason for its failure, "" for success; None: it has not ended."""
    if row.starts > operations.MAX_STARTS:
        return "interrupted-too-often"
    is_done = undoing.is_done if row.status == Import.Status.UNDOING else _is_done
    try:
        return "" if is_done(row, must_stop, advance) else None
    except NotReadable as error:
        row.failure_detail = error.detail
        return error.code
    except spool.SpoolLost:
        logger.error("The file of import %s is not on this machine, or damaged.", row.pk)
        return "file-lost"


def _is_done(row: Import, must_stop: Callable[[], bool], advance: Callable[[int], None]) -> bool:
    recipe = recipe_of(Layout(**row.layout))
    people = people_of(recipe.layout, row.user, row.created_by_id)
    encoder = Encoder(recipe)
    lanes = Lanes(recipe, settings.IMPORT_PROCESSES)
    proof = Proof()
    with closing(records_of(row.pk, recipe.layout, proof)) as found, closing(lanes):
        rest = islice(found, row.rows_read, None)
        for batch, encoded in lanes.encoded(people.batches(rest)):
            parts = [Part(*each, encoder) for each in zip(batch, encoded, strict=True)]
            advance(operations.add_batch(row=row, parts=parts))
            if must_stop():
                operations.release(row)
                return False
    proof.finish()
    row.rows_pending, row.warnings = proof.pending, proof.warnings
    return True
