"""All writes of imports. A batch of rows and its progress commit together."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import timedelta
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Case, F, Value, When
from django.db.models.functions import Greatest, Now
from psycopg.errors import UniqueViolation

from accounts.models import User
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock
from fido.lib.values.errors import DomainError, NotFound, PreconditionFailed
from transactions import unloading
from transactions.imports import queries, spool
from transactions.imports.encoding import COLUMNS, Encoded
from transactions.imports.layout import Layout
from transactions.imports.models import MAX_ERRORS, MAX_KEPT, Import, ImportBatch
from transactions.imports.parts import Part
from transactions.loading import NotSettled, load

# Longer than the longest transaction that PostgreSQL allows a worker.
LEASE = timedelta(seconds=60)
MAX_STARTS = 5
MAX_UNFINISHED = 5
# Why an undo keeps a row that somebody has edited.
CHANGED = "changed"


class TooManyImports(DomainError):
    code = "too-many-imports"
    title = f"A user may have at most {MAX_UNFINISHED} unfinished imports."


class ImportFinished(DomainError):
    code, title = "import-finished", "The import has ended: there is nothing to cancel."


class ImportUnfinished(DomainError):
    code, title = "import-unfinished", "The import has not ended: cancel it first."


class ImportTooOld(DomainError):
    code = "import-too-old"
    title = "Not all that this import created was noted, by a release before undo was there."


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
    """Stop the import or its undo where it is: what was created or deleted stays so.

    Raises:
        NotFound, ImportFinished
        PreconditionFailed: the request was conditional, and the import differs from `row`.
    """
    rows = Import.objects.filter(user_id=row.user_id, id=row.pk)
    if not rows.exists():
        raise NotFound()
    unfinished = rows.filter(status__in=Import.UNFINISHED)
    if if_unchanged:
        seen = {name: getattr(row, name) for name in ("status", "rows_read", "rows_undone")}
        unfinished = unfinished.filter(**seen)
    if not _ended(unfinished, Import.Status.CANCELLED):
        raise PreconditionFailed() if if_unchanged and row.is_unfinished else ImportFinished()
    spool.discard(row.pk)


def claim(*, user_id: int, import_id: UUID) -> Import | None:
    """The import, leased to the caller alone; None: another worker has it, or it has ended."""
    rows = Import.objects.filter(user_id=user_id, id=import_id, status__in=Import.UNFINISHED)
    lease = uuid.uuid4()
    claimed = rows.filter(queries.nobodys()).update(
        status=Case(
            When(status=Import.Status.UNDOING, then=Value(Import.Status.UNDOING)),
            default=Value(Import.Status.RUNNING),
        ),
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
    """End the import, with what was found in all of its file, and remove the file; or its undo.

    Raises:
        LeaseLost
    """
    undoing = row.status == Import.Status.UNDOING
    done = Import.Status.UNDONE if undoing else Import.Status.DONE
    status = Import.Status.FAILED if failure else done
    found = {name: getattr(row, name) for name in ("failure_detail", "rows_pending", "warnings")}
    if not _ended(_leased(row), status, failure=failure, **found):
        raise LeaseLost
    spool.discard(row.pk)


def add_batch(*, row: Import, parts: Sequence[Part]) -> int:
    """Create a batch's rows and count them, all or nothing; also updates `row`.

    The parts are in the order of their users. Returns how many rows were read.

    Raises:
        LeaseLost
    """
    for part in parts:
        part.leave_out_taken()
    while True:
        try:
            return _commit(row, parts)
        except NotSettled as error:
            creating = _creating(parts)
            for place, refused in error.refused.items():
                creating[place].leave_out(refused)
        except IntegrityError as error:
            # Another writer has committed some of the external ids since. If none is there any
            # more, a later start takes the rows.
            if not isinstance(error.__cause__, UniqueViolation):
                raise
            found = [part.leave_out_taken() for part in parts]
            if not any(found):
                raise


def begin_undo(*, row: Import) -> Import:
    """Have a worker delete what the import created; what an earlier undo kept is tried again.

    If that is under way already, nothing is changed. Returns the import's new state.

    Raises:
        NotFound, ImportUnfinished, ImportTooOld
        TooManyImports: the owner has MAX_UNFINISHED in progress.
    """
    rows = Import.objects.filter(user_id=row.user_id, id=row.pk)
    _require_undoable(rows.first())
    begun: dict[str, Any] = {"status": Import.Status.UNDOING, "starts": 0, "finished_at": None}
    begun |= {"failure": "", "failure_detail": "", "rows_kept": 0, "kept": [], "undone_to": None}
    # A lease that has just expired, because operators see how long ago that was.
    begun |= {"lease": None, "leased_until": Now()}
    rows.exclude(status__in=Import.UNFINISHED).update(**begun)
    return rows.get()


def _require_undoable(row: Import | None) -> None:
    if row is None:
        raise NotFound()
    if row.status == Import.Status.UNDOING:
        return
    if row.is_unfinished:
        raise ImportUnfinished()
    if row.rows_created != queries.rows_known(row):
        raise ImportTooOld()
    if queries.unfinished_of(row.user_id).count() >= MAX_UNFINISHED:
        raise TooManyImports()


def undo_batch(*, row: Import, batch: ImportBatch) -> int:
    """Delete a batch's rows that nobody has changed, and count them, all or nothing.

    Also updates `row`. Returns how many rows the batch had.

    Raises:
        LeaseLost
    """
    spared: dict[UUID, DomainError] = {}
    while True:
        try:
            _undo(row, batch, spared)
        except unloading.InTheWay as error:
            spared |= error.refused
        else:
            return batch.rows


def _undo(row: Import, batch: ImportBatch, spared: Mapping[UUID, DomainError]) -> None:
    ids = {"first": batch.first, "last": batch.last}
    with write_fence(batch.owned_by), transaction.atomic():
        deleted = unloading.unload(user_id=batch.owned_by, **ids, spared=spared)
        left = queries.present_rows(batch)
        progress: dict[str, Any] = {
            "rows_undone": row.rows_undone + deleted,
            "rows_kept": row.rows_kept + len(left),
            "undone_to": batch.position,
            "starts": 0,
        }
        if left and len(row.kept) < MAX_KEPT:
            progress["kept"] = (row.kept + _kept(left, spared))[:MAX_KEPT]
        batches = ImportBatch.objects.filter(user_id=row.user_id, id=batch.pk)
        batches.update(left=len(left))
        if not _leased(row).update(**progress, leased_until=Now() + LEASE):
            raise LeaseLost
    for name, value in progress.items():
        setattr(row, name, value)


def _kept(left: list[UUID], spared: Mapping[UUID, DomainError]) -> list[dict[str, str]]:
    codes = {id_: refusal.code for id_, refusal in spared.items()}
    return [{"id": str(id_), "code": codes.get(id_, CHANGED)} for id_ in left]


def _commit(row: Import, parts: Sequence[Part]) -> int:
    records = sum(len(part.share.records) for part in parts)
    encoded = [part.encoded for part in parts]
    progress = {
        "rows_read": row.rows_read + records,
        "rows_created": row.rows_created + sum(each.rows for each in encoded),
        "rows_refused": row.rows_refused + sum(each.refused for each in encoded),
        "errors": row.errors + _errors(encoded)[: MAX_ERRORS - len(row.errors)],
        "starts": 0,
    }
    creating = _creating(parts)
    with ExitStack() as fences:
        for part in creating:
            fences.enter_context(write_fence(part.user_id))
        with transaction.atomic():
            if creating:
                load(COLUMNS, [part.load for part in creating])
            if not _leased(row).update(**progress, leased_until=Now() + LEASE):
                raise LeaseLost
            # Only now: a worker that has lost its lease may be at the same place of the file.
            _note(row, creating)
    for name, value in progress.items():
        setattr(row, name, value)
    return records


def _creating(parts: Sequence[Part]) -> list[Part]:
    return [part for part in parts if part.encoded.rows]


def _note(row: Import, parts: Sequence[Part]) -> None:
    """Note which rows the batch creates, for an undo."""
    ImportBatch.objects.bulk_create(
        ImportBatch(
            user_id=row.user_id,
            source_id=row.pk,
            owner_id=part.user_id,
            # There are no more parts than records, so this is still one of the batch's.
            position=row.rows_read + place,
            first=part.encoded.ids[0],
            last=part.encoded.ids[1],
            rows=part.encoded.rows,
            left=part.encoded.rows,
        )
        for place, part in enumerate(parts)
        if part.encoded.ids
    )


def _errors(encoded: Sequence[Encoded]) -> list[dict[str, Any]]:
    faults = [fault for each in encoded for fault in each.faults]
    faults.sort(key=itemgetter(0))
    return [{"line": line, **asdict(fault)} for line, fault in faults]


def _leased(row: Import) -> Any:
    return Import.objects.filter(user_id=row.user_id, id=row.pk, lease=row.lease, status=row.status)


def _ended(rows: Any, status: str, **values: Any) -> bool:
    changes = {"status": status, "finished_at": clock.now(), "lease": None, "leased_until": None}
    return bool(rows.update(**changes, **values))
