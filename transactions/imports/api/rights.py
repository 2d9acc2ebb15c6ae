"""Who may undo an import, beyond those who may cancel it."""

from rest_framework.exceptions import PermissionDenied

from accounts.models import User
from accounts.operations import log_access
from transactions.imports.models import Import


def require_deletion(viewer: User, row: Import) -> None:
    """Check the right to delete what the import created; the undo of another user's is logged.

    A service needs no right besides: it deletes only what it has sent itself.

    Raises:
        PermissionDenied: the import is another user's, and the viewer is staff without the
            permission to delete transactions.
    """
    may_delete = viewer.may_for_others("transactions.delete_transaction")
    if row.user_id != viewer.pk and viewer.is_staff and not may_delete:
        raise PermissionDenied("You may not delete other users' transactions.")
    log_access(actor=viewer, subject_id=row.user_id, what=f"undo of import {row.pk}", route="api")
