"""Who may undo an import, beyond those who may cancel it."""

from rest_framework.exceptions import PermissionDenied

from accounts.models import User
from transactions.imports import undoing
from transactions.imports.models import Import


def require_deletion(viewer: User, row: Import) -> None:
    """Check the right to delete what the import created; the undo of others' rows is logged.

    A service needs no right besides: it deletes only what it has sent itself.

    Raises:
        PermissionDenied: the rows are other users', and the viewer is staff without the permission
            to delete transactions.
    """
    may_delete = viewer.may_for_others("transactions.delete_transaction")
    is_own = row.user_id == viewer.pk and not row.is_by_user
    if not is_own and viewer.is_staff and not may_delete:
        raise PermissionDenied("You may not delete other users' transactions.")
    undoing.log(actor=viewer, row=row, route="api")
