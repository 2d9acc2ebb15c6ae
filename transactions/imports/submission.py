"""Turns an uploaded file into an import, and has one undone."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from accounts.models import User
from transactions.imports import operations, saved, tasks
from transactions.imports.intake import Intake
from transactions.imports.layout import Layout
from transactions.imports.models import Import
from transactions.mappings.mapping import ColumnMapping


@dataclass(frozen=True)
class Stored:
    """A file in the spool."""

    import_id: UUID
    layout: Layout
    size_bytes: int


def layout_of(intake: Intake, sender: User, mapping: ColumnMapping | None) -> Layout:
    """The layout of everything the intake was fed; without a mapping by those that are known.

    Raises:
        UploadRefused, SpoolUnavailable: the caller still has to close the intake.
    """
    return intake.finish(mapping, () if mapping else saved.known(sender.pk))


def submitted(
    intake: Intake,
    *,
    owner: User,
    sender: User,
    mapping: ColumnMapping | None = None,
    queued: bool = True,
) -> Import:
    """The import of everything the intake was fed; if `queued`, a worker has been requested.

    Raises:
        UploadRefused, SpoolUnavailable, TooManyImports: the caller still has to close the intake.
    """
    layout = layout_of(intake, sender, mapping)
    stored = Stored(intake.import_id, layout, intake.size_bytes)
    try:
        return submit_stored(stored, owner=owner, sender=sender, queued=queued, then=intake.keep)
    except (OperationalError, InterfaceError):
        # It may have committed anyway; a file that no import claims is removed later.
        intake.keep()
        raise


def undo_submitted(row: Import) -> Import:
    """The import's new state; a worker has been requested to undo it.

    Raises:
        NotFound, ImportUnfinished, ImportTooOld, TooManyImports
    """
    begun = operations.begin_undo(row=row)
    transaction.on_commit(lambda: tasks.request_import(begun.user_id, begun.pk), robust=True)
    return begun


def submit_stored(
    stored: Stored,
    *,
    owner: User,
    sender: User,
    queued: bool = True,
    then: Callable[[], None] = lambda: None,
) -> Import:
    """The import of a file that is in the spool; `then` is called once it is committed.

    Raises:
        TooManyImports
    """
    with transaction.atomic():
        row = operations.submit(
            id_=stored.import_id,
            owner=owner,
            created_by=sender,
            layout=stored.layout,
            size_bytes=stored.size_bytes,
        )
        transaction.on_commit(then)
        if queued:
            transaction.on_commit(lambda: tasks.request_import(owner.pk, row.pk), robust=True)
    return row
