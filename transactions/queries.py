"""Queries about transactions that span rows."""

from collections import namedtuple
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import Case, Exists, OuterRef, Subquery, When

from accounts.models import User
from accounts.wallets import queries as wallets
from accounts.wallets.models import Wallet
from fido.lib.process.statements import condition_of, rows_of
from fido.lib.values import money
from fido.lib.values.crypto.fields import encrypted
from transactions.files import columns
from transactions.models import Transaction, TransactionQuerySet

LOOKUPS = {
    "transaction_type": "transaction_type",
    "currency": "currency",
    "external_id": "external_id",
    "category": "category",
    "min_amount": "transaction_amount__gte",
    "max_amount": "transaction_amount__lte",
}


def history(*, viewer: User, filters: dict[str, Any]) -> TransactionQuerySet:
    """The requested transactions, as far as the viewer may see them.

    `filters` holds a `period` and any of `user_id`, `full_name` (whole, in clear), `wallet` (its
    name) and LOOKUPS.
    """
    rows = Transaction.objects.visible_to(viewer).within(filters["period"])
    if "user_id" in filters:
        rows = rows.of(filters["user_id"])
    if "full_name" in filters:
        rows = rows.named(filters["full_name"])
    if "wallet" in filters:
        everybody = viewer.may_for_others("transactions.view_transaction")
        rows = _in_wallet(
            rows, filters["wallet"], filters.get("user_id") if everybody else viewer.pk
        )
    return rows.filter(
        **{lookup: filters[name] for name, lookup in LOOKUPS.items() if name in filters}
    )


def _in_wallet(rows: TransactionQuerySet, name: str, user_id: int | None) -> TransactionQuerySet:
    if user_id is None:
        return rows.filter(Exists(_wallet_of_row().filter(name=name)))
    # Looked up separately, so that an index provides the order.
    ids = wallets.ids_named(user_id, name)
    return rows.filter(wallet_id=ids[0]) if len(ids) == 1 else rows.filter(wallet_id__in=ids)


def _wallet_of_row() -> Any:
    return Wallet.objects.filter(user_id=OuterRef("user_id"), id=OuterRef("wallet_id"))


# A transaction of a history page, decrypted: what an answer shows of it.
Entry: Any = namedtuple("Entry", columns.NAMES)  # type: ignore[misc]


def entries(rows: TransactionQuerySet, order: Sequence[str], limit: int) -> list[Any]:
    """The first of these transactions in this order, as `Entry`.

    Without models, which would take three times as long. The ORM makes only the condition.
    """
    try:
        condition, parameters = condition_of(rows)
    except EmptyResultSet:
        return []
    terms = (f"{name.lstrip('-')} {'DESC' if name.startswith('-') else 'ASC'}" for name in order)
    sql = ENTRIES.format(condition=condition, order=", ".join(terms), limit=limit, columns=ROW)
    found = rows_of(sql, parameters)
    inside = [row for row in found if row[_WALLET] is not None]
    names = wallets.names((row[_USER] for row in inside), (row[_WALLET] for row in inside))
    return [_entry(row, names) for row in found]


ENTRIES = """
SELECT {columns}
FROM transactions_transaction
WHERE {condition}
ORDER BY {order}
LIMIT {limit}
"""
ROW = ", ".join(columns.ATTRIBUTES)
_USER, _WALLET = columns.NAMES.index("user_id"), columns.NAMES.index("wallet")
_SECRET = {columns.NAMES.index(name): encrypted(Transaction, name) for name in columns.SECRET}


def _entry(row: tuple[Any, ...], names: Mapping[UUID, str]) -> Any:
    values = list(row)
    for place, field in _SECRET.items():
        values[place] = field.from_db_value(row[place])
    values[_WALLET] = names.get(row[_WALLET])
    return Entry._make(values)


def wallet_names(rows: Sequence[Transaction]) -> Mapping[UUID, str]:
    """The wallet names of these transactions; no query if none is in a wallet."""
    inside = [row for row in rows if row.wallet_id is not None]
    return wallets.names(
        (row.user_id for row in inside), (row.wallet_id for row in inside if row.wallet_id)
    )


def with_wallet_name(rows: TransactionQuerySet) -> TransactionQuerySet:
    """Annotate `wallet_name`, for any number of rows that one statement reads."""
    name = Subquery(_wallet_of_row().values("name"))
    # Nothing is looked up for rows without a wallet.
    return rows.annotate(wallet_name=Case(When(wallet_id__isnull=False, then=name)))


def ordering(order: str) -> tuple[str, str]:
    """The order by date, made total by the id, as the indexes have it."""
    sign = "-" if order.startswith("-") else ""
    return f"{sign}transaction_date", f"{sign}id"


def id_of_external(user_id: int, external_id: str) -> UUID | None:
    """The id of the user's transaction with this `external_id`."""
    rows = Transaction.objects.filter(user_id=user_id, external_id=external_id)
    return rows.values_list("id", flat=True).first()


def ids_of_external(user_id: int, external_ids: Collection[str]) -> dict[str, UUID]:
    """The user's transactions with any of these external ids, as ids keyed by external id."""
    if not external_ids:
        return {}
    rows = Transaction.objects.filter(user_id=user_id, external_id__in=external_ids)
    return {str(external_id): id_ for external_id, id_ in rows.values_list("external_id", "id")}


@dataclass(frozen=True)
class BalanceDifference:
    """A balance, and its expected value: its opening amount plus its transactions.

    `amount` is None if transactions are in a wallet that has no such balance.
    """

    user_id: int
    wallet_id: UUID
    currency: str
    amount: Decimal | None
    due: Decimal

    def __str__(self) -> str:
        """Amounts as stored, to the last decimal: rounded ones might look equal."""
        there = "no balance" if self.amount is None else f"{self.amount:.{money.MAX_DECIMALS}f}"
        due = f"{self.due:.{money.MAX_DECIMALS}f}"
        return f"wallet {self.wallet_id}, {self.currency}: {there} instead of {due}"


def balance_differences(user_ids: list[int]) -> list[BalanceDifference]:
    """The wrong balances of these users.

    One statement reads balances and transactions, so no write can come between.
    """
    found = rows_of(BALANCE_DIFFERENCES, {"user_ids": user_ids})
    return [BalanceDifference(*row) for row in found]


BALANCE_DIFFERENCES = """
SELECT user_id, wallet_id, currency, sum(amount) AS amount, sum(due) AS due
FROM (
    SELECT user_id, wallet_id, currency, amount, opening AS due
    FROM wallets_balance
    WHERE user_id = ANY(%(user_ids)s)
  UNION ALL
    SELECT user_id, wallet_id, currency, NULL,
           sum(CASE transaction_type WHEN 'credit' THEN transaction_amount
               ELSE -transaction_amount END)
    FROM transactions_transaction
    WHERE user_id = ANY(%(user_ids)s) AND wallet_id IS NOT NULL
    GROUP BY user_id, wallet_id, currency
) AS both_sides
GROUP BY user_id, wallet_id, currency
HAVING sum(amount) IS DISTINCT FROM sum(due)
ORDER BY user_id, wallet_id, currency
"""


def owner_of(transaction_id: UUID, **conditions: Any) -> int | None:
    """The transaction's owner, if it meets the conditions: the one lookup without a user id."""
    rows = Transaction.objects.filter(id=transaction_id, **conditions)
    return rows.values_list("user_id", flat=True).first()
