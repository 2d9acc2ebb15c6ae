"""The records of an upload, whatever its form, and what it takes to judge them."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from uuid import UUID

from django.conf import settings

from fido.lib.values.crypto.fields import blind_index
from transactions.imports import bank_files, spool
from transactions.imports.encoding import Recipe
from transactions.imports.layout import Layout
from transactions.imports.proof import Proof
from transactions.imports.reading import Record, records
from transactions.models import Transaction


def recipe_of(layout: Layout) -> Recipe:
    return Recipe(
        layout=layout,
        fernet_key=settings.FERNET_KEYS[0],
        index_key=settings.BLIND_INDEX_KEYS[0],
        index_label=blind_index(Transaction, "full_name").label,
    )


def records_of(import_id: UUID, layout: Layout, proof: Proof) -> Generator[Record, None, None]:
    """All records of the file; `proof` is told what a bank's file says of its balances.

    Raises:
        NotReadable, SpoolLost: while it is read.
    """
    if layout.is_from_bank:
        yield from bank_files.rows(partial(spool.opened_bytes, import_id), layout, proof)
        return
    with spool.opened(import_id, layout.encoding) as text:
        yield from records(text, layout, proof)
