"""Queries about wallets and balances that span rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from uuid import UUID

from django.db.models import QuerySet

from accounts.wallets.models import Balance, Wallet
from fido.lib.process.statements import rows_of

# A wallet and a currency.
Key = tuple[UUID, str]
Balances = QuerySet[Balance]
# SQL, because every transaction that names a wallet asks for both.
OPEN_IDS = """\
SELECT user_id, name, id FROM wallets_wallet
WHERE user_id = ANY(%s::bigint[]) AND name = ANY(%s::text[]) AND closed_at IS NULL"""
NAMES = """\
SELECT id, name FROM wallets_wallet
WHERE user_id = ANY(%s::bigint[]) AND id = ANY(%s::uuid[])"""


def open_wallet(user_id: int, name: str) -> Wallet | None:
    return Wallet.objects.of(user_id).open().filter(name=name).first()


def open_ids(user_id: int) -> dict[str, UUID]:
    """The user's open wallets by name."""
    return dict(Wallet.objects.of(user_id).open().values_list("name", "id"))


def open_ids_by_user(user_ids: Iterable[int]) -> dict[int, dict[str, UUID]]:
    """The open wallets of each of these users that has any, by name."""
    found: dict[int, dict[str, UUID]] = defaultdict(dict)
    rows = Wallet.objects.filter(user_id__in=list(user_ids)).open()
    for user_id, name, id_ in rows.values_list("user_id", "name", "id"):
        found[user_id][name] = id_
    return found


def open_ids_of(named: Collection[tuple[int, str]]) -> dict[tuple[int, str], UUID]:
    """The existing open wallets of these users and names, by both."""
    if not named:
        return {}
    user_ids, called = (list({*each}) for each in zip(*named, strict=True))
    found = rows_of(OPEN_IDS, [user_ids, called], plan_once=True)
    return {(user_id, name): id_ for user_id, name, id_ in found}


def open_among(user_id: int, wallet_ids: Collection[UUID]) -> set[UUID]:
    rows = Wallet.objects.of(user_id).open().filter(id__in=wallet_ids)
    return set(rows.values_list("id", flat=True)) if wallet_ids else set()


def ids_named(user_id: int, name: str) -> list[UUID]:
    """The user's wallets that have or had this name: the open one, and any closed ones."""
    return list(Wallet.objects.of(user_id).filter(name=name).values_list("id", flat=True))


def names(user_ids: Iterable[int], wallet_ids: Iterable[UUID]) -> dict[UUID, str]:
    """The names of these users' wallets, including closed ones. No query if there are none.

    Keyed by user and wallet, so that each part of a database split by user finds its own.
    """
    if not (ids := list(set(wallet_ids))):
        return {}
    return dict(rows_of(NAMES, [list(set(user_ids)), ids], plan_once=True))


def open_balances(user_id: int, wallet_id: UUID | None = None) -> Balances:
    """The open balances of one of the user's wallets, or of all of them."""
    rows = Balance.objects.filter(user_id=user_id, is_open=True)
    return rows if wallet_id is None else rows.filter(wallet_id=wallet_id)


def balance(user_id: int, key: Key) -> Balance | None:
    wallet_id, currency = key
    rows = Balance.objects.filter(user_id=user_id, wallet_id=wallet_id, currency=currency)
    return rows.first()


def present(user_id: int, keys: Collection[Key]) -> set[Key]:
    """Those keys that have a balance, open or closed."""
    wallet_ids = {wallet_id for wallet_id, _ in keys}
    rows = Balance.objects.filter(user_id=user_id, wallet_id__in=wallet_ids)
    return {*keys} & {*rows.values_list("wallet_id", "currency")}
