"""All writes of imports. A batch of rows and its progress commit together."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now
from psycopg.errors import UniqueViolation

from accounts.models import User
from accounts.wallets.movements import Movement
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock
from fido.lib.values.errors import DomainError, NotFound, PreconditionFailed
from transactions import loading
from transactions.imports import queries, spool
from transactions.imports.checking import Fault
from transactions.imports.encoding import COLUMNS, Encoded
from transactions.imports.layout import Layout
from transactions.imports.models import MAX_ERRORS, Import
from transactions.loading import NotSettled
from transactions.signals import DayMoved

# Longer than the longest transaction that PostgreSQL allows a worker.
LEASE = timedelta(seconds=60)
MAX_STARTS = 5
MAX_UNFINISHED = 5


class Encode(Protocol):
    """Encode the batch again, without these external ids and these lines."""

    def __call__(self, taken: Collection[str], unsettled: Mapping[int, Fault]) -> Encoded: ...


class TooManyImports(DomainError):
    code = "too-many-imports"
    title = f"A user may have at most {MAX_UNFINISHED} unfinished imports."


class ImportFinished(DomainError):
    code, title = "import-finished", "The import has ended: there is nothing to cancel."


class LeaseLost(Exception):
    """The import was cancelled, or another worker has claimed it. The batch was rolled back."""


def submit(*, id_: UUID, owner: User, created_by: User, layout: Layout, size_bytes: int) -> Import:
    """Record the spooled file with this id as an import.

    Raises:
        TooManyImports: the owner has MAX_UNFINISHED in progress.
    """
    if queries.unfinished_of(owner.pk).count() >= MAX_UNFINISHED:
        raise TooManyImports()
    return Import.objects.create(
        id=id_, user=owner, created_by=created_by, layout=asdict(layout), size_bytes=size_bytes
    )


def cancel(*, row: Import, if_unchanged: bool = False) -> None:
    """Stop the import where it is: created rows stay, and no more are created.

    Raises:
        NotFound, ImportFinished
        PreconditionFailed: the request was conditional, and the import differs from `row`.
    """
    rows = Import.objects.filter(user_id=row.user_id, id=row.pk)
    if not rows.exists():
        raise NotFound()
    unfinished = rows.filter(status__in=Import.UNFINISHED)
    if if_unchanged:
        unfinished = unfinished.filter(status=row.status, rows_read=row.rows_read)
    if not _ended(unfinished, Import.Status.CANCELLED):
        raise PreconditionFailed() if if_unchanged and row.is_unfinished else ImportFinished()
    spool.discard(row.pk)


def claim(*, user_id: int, import_id: UUID) -> Import | None:
    """The import, leased to the caller alone; None: another worker has it, or it has ended."""
    rows = Import.objects.filter(user_id=user_id, id=import_id, status__in=Import.UNFINISHED)
    lease = uuid.uuid4()
    claimed = rows.filter(queries.nobodys()).update(
        status=Import.Status.RUNNING,
        lease=lease,
        leased_until=Now() + LEASE,
        starts=F("starts") + 1,
    )
    return rows.filter(lease=lease).select_related("user").first() if claimed else None


def release(row: Import, *, was_busy: bool = False) -> None:
    """Give up the lease, so that the next worker can continue at once.

    `was_busy`: another transaction was in the way, which is no reason to fail it one day. This
    start does not count.
    """
    starts = Greatest(F("starts") - 1, 0) if was_busy else F("starts")
    _leased(row).update(lease=None, leased_until=None, starts=starts)


def finish(row: Import, *, failure: str = "") -> None:
    """End the import, with what was found in all of its file, and remove the file.

    Raises:
        LeaseLost
    """
    status = Import.Status.FAILED if failure else Import.Status.DONE
    found = {name: getattr(row, name) for name in ("failure_detail", "rows_pending", "warnings")}
    if not _ended(_leased(row), status, failure=failure, **found):
        raise LeaseLost
    spool.discard(row.pk)


def add_batch(*, row: Import, records: int, encoded: Encoded, encode: Encode) -> None:
    """Create a batch's rows and count them, all or nothing; also updates `row`.

    `encode` builds the batch again, without the external ids that turn out to be taken, and without
    the lines whose wallet turns out to hold too little.

    Raises:
        LeaseLost
    """
    in_use: set[str] = set()
    unsettled: dict[int, Fault] = {}
    while True:
        if found := queries.external_ids_in_use(row.user_id, encoded.external_ids):
            in_use |= found
            encoded = encode(in_use, unsettled)
            continue
        try:
            return _commit(row, records, encoded)
        except NotSettled as error:
            unsettled |= _faults(encoded, error.refused)
            encoded = encode(in_use, unsettled)
        except IntegrityError as error:
            # Another writer has committed one of the external ids since we looked.
            if not isinstance(error.__cause__, UniqueViolation):
                raise


def _commit(row: Import, records: int, encoded: Encoded) -> None:
    progress = {
        "rows_read": row.rows_read + records,
        "rows_created": row.rows_created + encoded.rows,
        "rows_refused": row.rows_refused + encoded.refused,
        "errors": row.errors + _errors(encoded)[: MAX_ERRORS - len(row.errors)],
        "starts": 0,
    }
    with write_fence(row.user_id), transaction.atomic():
        if encoded.rows and encoded.ids:
            moved = [DayMoved(*key, **vars(sums)) for key, sums in encoded.moved.items()]
            loading.load(
                user_id=row.user_id,
                columns=COLUMNS,
                lines=encoded.lines,
                moved=moved,
                in_wallets=[
                    Movement((UUID(each.wallet_id), each.currency), each.delta)
                    for each in encoded.in_wallets
                ],
                ids=encoded.ids,
            )
        if not _leased(row).update(**progress, leased_until=Now() + LEASE):
            raise LeaseLost
    for name, value in progress.items():
        setattr(row, name, value)


def _faults(encoded: Encoded, refused: Mapping[int, DomainError]) -> dict[int, Fault]:
    return {
        encoded.in_wallets[place].line: Fault("wallet", refusal.code, refusal.detail)
        for place, refusal in refused.items()
    }


def _errors(encoded: Encoded) -> list[dict[str, Any]]:
    return [{"line": line, **asdict(fault)} for line, fault in encoded.faults]


def _leased(row: Import) -> Any:
    return Import.objects.filter(
        user_id=row.user_id, id=row.pk, lease=row.lease, status=Import.Status.RUNNING
    )


def _ended(rows: Any, status: str, **values: Any) -> bool:
    changes = {"status": status, "finished_at": clock.now(), "lease": None, "leased_until": None}
    return bool(rows.update(**changes, **values))
