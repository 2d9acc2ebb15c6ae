"""Which users' transactions a caller may see, record and change."""

from typing import Any
from uuid import UUID

from rest_framework.exceptions import ErrorDetail, PermissionDenied, ValidationError

from accounts.models import User
from accounts.operations import log_search
from fido.lib.values.errors import NotFound
from transactions import queries
from transactions.models import Transaction


def require_name_search(viewer: User, filters: dict[str, Any]) -> None:
    """Check a search by name: finding a name in other users' records is as good as reading it.

    So it is logged like that.

    Raises:
        PermissionDenied: the viewer is staff who see others' records but may not open their names.
    """
    if "full_name" not in filters or not viewer.may_for_others("transactions.view_transaction"):
        return
    if not viewer.may_for_others("accounts.view_personal_data"):
        raise PermissionDenied("You may not search by other users' names.")
    log_search(
        actor=viewer,
        term=filters["full_name"],
        subject_id=filters.get("user_id"),
        what="search of transactions by name",
        route="api",
    )


def transaction_for(viewer: User, transaction_id: UUID, verb: str) -> Transaction:
    """The transaction, if it is the viewer's, or the viewer is staff with the permission or the
    service that recorded it.

    `verb` is what the viewer wants to do: `view`, `change` or `delete`.

    Raises:
        NotFound: in all other cases, so that nobody learns whether it exists.
    """
    rows = Transaction.objects.filter(id=transaction_id)
    row = rows.filter(user_id=viewer.pk).first()
    if row is None and (owner_id := _owner_of_anothers(viewer, transaction_id, verb)):
        row = rows.filter(user_id=owner_id).first()
    if row is None:
        raise NotFound()
    return row


def _owner_of_anothers(viewer: User, transaction_id: UUID, verb: str) -> int | None:
    """The owner of somebody else's transaction; None if the viewer may not do it."""
    if viewer.may_for_others(f"transactions.{verb}_transaction"):
        return queries.owner_of(transaction_id)
    if viewer.is_service:
        # In one step, so that an id of somebody else's takes no longer than one that nothing has.
        return queries.owner_of(transaction_id, recorded_by=viewer.pk)
    return None


def owner_named(caller: User, user_id: int | None) -> User:
    """The user for whom the caller records.

    Raises:
        PermissionDenied: the caller may record only for themselves.
        ValidationError: there is no such user.
    """
    if user_id is None or user_id == caller.pk:
        return caller
    require_recording_for_others(caller)
    owner = User.objects.filter(pk=user_id).first()
    if owner is None:
        raise ValidationError({"user_id": ErrorDetail("No such user.", "unknown-user")})
    return owner


def require_recording_for_others(caller: User) -> None:
    """Raises PermissionDenied."""
    if not may_record_for_others(caller):
        raise PermissionDenied("You may record only your own transactions.")


def may_record_for_others(caller: User) -> bool:
    return caller.may_for_others("transactions.add_transaction") or caller.is_service


def reads_name(viewer: User, row: Transaction) -> bool:
    """Whether the viewer reads this transaction's name and description in clear."""
    return row.user_id == viewer.pk or viewer.may_for_others("accounts.view_personal_data")
