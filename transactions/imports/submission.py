"""Turns an uploaded file into an import, and has one undone."""

from django.db import InterfaceError, OperationalError, transaction

from accounts.models import User
from transactions.imports import operations, tasks
from transactions.imports.intake import Intake
from transactions.imports.layout import Layout
from transactions.imports.models import Import


def submitted(intake: Intake, *, owner: User, sender: User, queued: bool = True) -> Import:
    """The import of everything the intake was fed; if `queued`, a worker has been requested.

    Raises:
        UploadRefused, SpoolUnavailable, TooManyImports: the caller still has to close the intake.
    """
    layout = intake.finish()
    try:
        return _committed(intake, layout, owner, sender, queued)
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


def _committed(intake: Intake, layout: Layout, owner: User, sender: User, queued: bool) -> Import:
    with transaction.atomic():
        row = operations.submit(
            id_=intake.import_id,
            owner=owner,
            created_by=sender,
            layout=layout,
            size_bytes=intake.size_bytes,
        )
        transaction.on_commit(intake.keep)
        if queued:
            transaction.on_commit(lambda: tasks.request_import(owner.pk, row.pk), robust=True)
    return row
