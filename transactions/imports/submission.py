"""Turns an uploaded file into an import."""

from django.db import InterfaceError, OperationalError, transaction

from accounts.models import User
from transactions.imports import operations, saved, tasks
from transactions.imports.intake import Intake
from transactions.imports.layout import Layout
from transactions.imports.models import Import
from transactions.mappings.mapping import ColumnMapping


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
    try:
        return _committed(intake, layout, owner, sender, queued)
    except (OperationalError, InterfaceError):
        # It may have committed anyway; a file that no import claims is removed later.
        intake.keep()
        raise


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
