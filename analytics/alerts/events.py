"""Records events: credits and debits that the rules check at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.models import User
from accounts.wallets import operations as wallets
from accounts.wallets import queries as wallet_queries
from accounts.wallets.names import MAIN
from analytics.alerts import marks, operations, queries
from analytics.alerts.models import EventClock
from analytics.alerts.queries import Rules
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.process.prepared import repeated
from fido.lib.values.errors import DomainError
from fido.lib.values.ids import new_id, new_id_after
from transactions import operations as transactions
from transactions.models import Transaction
from transactions.operations import Draft

# A real write, and the first: another event of the user waits here until this one has committed or
# rolled back, and then sees all of it or nothing. If it returns no row, the event is out of order.
# The rules and the wallet `main` are as they were before the wait.
TAKE_PLACE = """\
INSERT INTO alerts_eventclock AS clock (id, user_id, latest, transaction_id)
VALUES (%(id)s, %(user_id)s, %(at)s, %(transaction_id)s)
ON CONFLICT (user_id) DO UPDATE
SET latest = excluded.latest,
    transaction_id = greatest(clock.transaction_id, excluded.transaction_id)
WHERE clock.latest <= excluded.latest
RETURNING transaction_id, ({rules}), (
    SELECT id FROM wallets_wallet
    WHERE user_id = %(user_id)s AND name = %(wallet)s AND closed_at IS NULL
)
"""


class OutOfOrder(DomainError):
    code, title = "out-of-order", "This user already has a later event."


@dataclass(frozen=True, kw_only=True)
class NewEvent:
    """`amount` is positive, in the default currency's units; `at` is timezone-aware."""

    is_deposit: bool
    amount: Decimal
    at: datetime


def record(*, owner: User, event: NewEvent, recorded_by: int | None = None) -> list[int]:
    """Record an event in the owner's wallet `main`; return the codes that it raises, in order.

    Events of one user are recorded one after another. Each is checked against the transactions that
    exist when its turn comes. `recorded_by` is the id of the user who records it, by default the
    owner.

    Raises:
        OutOfOrder: an event of the owner has a later time.
        InsufficientFunds: it withdraws more than the balance.
        InvalidInput, BalanceTooLarge, WalletClosed, TooManyWallets
    """
    with write_fence(owner.pk), transaction.atomic():
        place = _take_place(owner.pk, event.at)
        draft = _draft(owner, event, place.wallet_id or _main_wallet(owner.pk))
        with marks.checking_it_here(place.id):
            row = transactions.record(
                owner=owner, draft=draft, id_=place.id, recorded_by=recorded_by
            )
        alerts = operations.alerts_of([queries.recorded(row)], place.rules)
        operations.store(alerts)
    # Two rules may share a code, such as one for the default currency and one that names it.
    return list(dict.fromkeys(alert.code for alert in alerts))


class _Place(NamedTuple):
    """The id of the event's transaction, the rules, and the wallet `main` if it is there."""

    id: UUID
    rules: Rules
    wallet_id: UUID | None


def _take_place(user_id: int, at: datetime) -> _Place:
    """Make it the user's latest event."""
    id_ = new_id()
    asked: dict[str, Any] = {
        "id": new_id(),
        "user_id": user_id,
        "at": at,
        "transaction_id": id_,
        "wallet": MAIN,
    }
    with repeated() as cursor:
        cursor.execute(TAKE_PLACE.format(rules=queries.ENABLED_RULES), asked)
        row = cursor.fetchone()
    if row is None:
        raise OutOfOrder()
    greatest, rules, wallet_id = row
    if greatest != id_:  # the previous event's, from a server whose clock is ahead
        id_ = new_id_after(greatest)
        EventClock.objects.filter(user_id=user_id).update(transaction_id=id_)
    return _Place(id_, queries.rules_of(rules), wallet_id)


def _draft(owner: User, event: NewEvent, wallet_id: UUID) -> Draft:
    kind = Transaction.Type.CREDIT if event.is_deposit else Transaction.Type.DEBIT
    return Draft(
        transaction_date=event.at,
        transaction_amount=event.amount,
        transaction_type=kind,
        currency=str(settings.DEFAULT_CURRENCY),
        full_name=owner.full_name,
        wallet_id=wallet_id,
    )


def _main_wallet(user_id: int) -> UUID:
    """The open wallet with that name, created if there is none."""
    while True:
        if wallet := wallet_queries.open_wallet(user_id, MAIN):
            return wallet.pk
        try:
            return wallets.create_wallet(user_id=user_id, name=MAIN).pk
        except wallets.WalletTaken:
            continue  # another request has created it since we looked
