"""What staff may ask about other people's transactions."""

from typing import Any

from rest_framework.exceptions import PermissionDenied

from accounts.models import User


def require_name_search(viewer: User, filters: dict[str, Any]) -> None:
    """Finding a name among other people's records is as good as reading it there.

    Raises:
        PermissionDenied: staff who see others' records, but may not open their names.
    """
    if "full_name" not in filters or not viewer.may_for_others("transactions.view_transaction"):
        return
    if not viewer.may_for_others("accounts.view_personal_data"):
        raise PermissionDenied("You may not look for names of others.")
