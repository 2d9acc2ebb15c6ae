"""Questions about transactions that span rows."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from accounts.models import User
from transactions.models import Transaction, TransactionQuerySet

LOOKUPS = {
    "transaction_type": "transaction_type",
    "currency": "currency",
    "external_id": "external_id",
    "min_amount": "transaction_amount__gte",
    "max_amount": "transaction_amount__lte",
}


def history(*, viewer: User, filters: dict[str, Any]) -> TransactionQuerySet:
    """What the viewer may see of what they asked for.

    `filters` holds a `period` and any of `user_id`, `full_name` (whole, in clear) and LOOKUPS.
    """
    rows = Transaction.objects.visible_to(viewer).within(filters["period"])
    if "user_id" in filters:
        rows = rows.of(filters["user_id"])
    if "full_name" in filters:
        rows = rows.named(filters["full_name"])
    return rows.filter(
        **{lookup: filters[name] for name, lookup in LOOKUPS.items() if name in filters}
    )


def ordering(order: str) -> tuple[str, str]:
    """The columns of an order by date, total by the id, as the indexes have it."""
    sign = "-" if order.startswith("-") else ""
    return f"{sign}transaction_date", f"{sign}id"


def id_of_external(user_id: int, external_id: str) -> UUID | None:
    """The id of the user's transaction with this `external_id`."""
    rows = Transaction.objects.filter(user_id=user_id, external_id=external_id)
    return rows.values_list("id", flat=True).first()


def ids_of_external(user_id: int, external_ids: Collection[str]) -> dict[str, UUID]:
    """Those of the user's transactions that have one of these external ids, by it."""
    if not external_ids:
        return {}
    rows = Transaction.objects.filter(user_id=user_id, external_id__in=external_ids)
    return {str(external_id): id_ for external_id, id_ in rows.values_list("external_id", "id")}


def owner_of(transaction_id: UUID) -> int | None:
    """Whose transaction it is: the one look-up that has no user to go by."""
    rows = Transaction.objects.filter(id=transaction_id)
    return rows.values_list("user_id", flat=True).first()
