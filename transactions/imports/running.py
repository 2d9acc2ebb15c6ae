"""Runs an import from its last committed batch to the end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import closing
from functools import partial
from itertools import islice
from uuid import UUID

from django.conf import settings

from accounts.models import User
from accounts.wallets import queries as wallets
from fido.lib.process.database import is_busy
from fido.lib.values.crypto.fields import blind_index
from transactions.imports import bank_files, operations, spool
from transactions.imports.encoding import Encoder, Recipe
from transactions.imports.lanes import Lanes
from transactions.imports.layout import Layout
from transactions.imports.models import Import
from transactions.imports.proof import Proof
from transactions.imports.reading import Record, batches, records
from transactions.models import Transaction, recorder
from transactions.statements.items import NotReadable

logger = logging.getLogger(__name__)

BATCH_ROWS = 5_000


def _unheard(rows: int) -> None:
    pass


def run(
    row: Import, *, must_stop: Callable[[], bool], advance: Callable[[int], None] = _unheard
) -> None:
    """Import the rest of a claimed import, batch by batch.

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
    try:
        return "" if _done(row, must_stop, advance) else None
    except NotReadable as error:
        row.failure_detail = error.detail
        return error.code
    except spool.SpoolLost:
        logger.error("The file of import %s is not on this machine, or damaged.", row.pk)
        return "file-lost"


def _done(row: Import, must_stop: Callable[[], bool], advance: Callable[[int], None]) -> bool:
    recipe = _recipe(row.user, Layout(**row.layout), row.created_by_id)
    encoder = Encoder(recipe)
    lanes = Lanes(recipe, settings.IMPORT_PROCESSES)
    proof = Proof()
    with closing(_records(row.pk, recipe.layout, proof)) as found, closing(lanes):
        rest = islice(found, row.rows_read, None)
        for batch, encoded in lanes.encoded(batches(rest, BATCH_ROWS)):
            operations.add_batch(
                row=row, encoded=encoded, encode=partial(encoder.encode, batch), records=len(batch)
            )
            advance(len(batch))
            if must_stop():
                operations.release(row)
                return False
    proof.finish()
    row.rows_pending, row.warnings = proof.pending, proof.warnings
    return True


def _records(import_id: UUID, layout: Layout, proof: Proof) -> Generator[Record, None, None]:
    if layout.is_from_bank:
        yield from bank_files.rows(partial(spool.opened_bytes, import_id), layout, proof)
        return
    with spool.opened(import_id) as text:
        yield from records(text, layout)


def _recipe(owner: User, layout: Layout, sender_id: int) -> Recipe:
    return Recipe(
        layout=layout,
        user_id=owner.pk,
        defaults={"currency": owner.currency, "full_name": owner.full_name},
        wallets={name: str(id_) for name, id_ in wallets.open_ids(owner.pk).items()},
        fernet_key=settings.FERNET_KEYS[0],
        index_key=settings.BLIND_INDEX_KEYS[0],
        index_label=blind_index(Transaction, "full_name").label,
        recorded_by=recorder(owner.pk, sender_id),
    )
