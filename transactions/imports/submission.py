"""Turns an uploaded file into an import, and has one undone."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from accounts.models import User
from transactions.imports import operations, saved, tasks
from transactions.imports.header import UploadRefused
from transactions.imports.intake import Intake
from transactions.imports.layout import Layout
from transactions.imports.models import Import
from transactions.imports.shares import names_users
from transactions.mappings.mapping import ColumnMapping


@dataclass(frozen=True)
class Stored:
    """A file in the spool."""

    import_id: UUID
    layout: Layout
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Upload:
    """All that an intake was fed, and what its sender said of it.

    `by_user`: the rows are those of the users that they name, and the import is the sender's own.
    """

    intake: Intake
    owner: User
    sender: User
    mapping: ColumnMapping | None = None
    by_user: bool = False

    def layout(self) -> Layout:
        """The file's layout; without a mapping by those that are known.

        Raises:
            UploadRefused, SpoolUnavailable: the caller still has to close the intake.
        """
        known = () if self.mapping else saved.known(self.sender.pk)
        layout = self.intake.finish(self.mapping, known)
        return for_named_users(layout) if self.by_user else layout


def for_named_users(layout: Layout) -> Layout:
    """The layout of a file whose rows name their users.

    Raises:
        UploadRefused: such a file cannot name any.
    """
    if not names_users(layout):
        detail = "No column is the user_id, by which each row would name its user."
        raise UploadRefused("missing-column", detail)
    return replace(layout, by_user=True)


def submitted(upload: Upload, *, queued: bool = True) -> Import:
    """The import of an upload; if `queued`, a worker has been requested.

    Raises:
        UploadRefused, SpoolUnavailable, TooManyImports: the caller still has to close the intake.
    """
    intake = upload.intake
    stored = Stored(intake.import_id, upload.layout(), intake.size_bytes)
    whose = {"owner": upload.owner, "sender": upload.sender}
    try:
        return submit_stored(stored, **whose, queued=queued, then=intake.keep)
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
