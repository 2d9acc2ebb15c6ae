"""Moves balances, inside the database transaction and the write fence of what causes the move.

A balance is moved only by the transactions of its wallet, and never below zero. Everyone takes
locks in one order, so that there are no deadlocks: the transactions' own rows, then wallets (only
to open a balance), then balances, each in the order of their keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import F

from accounts.wallets import queries
from accounts.wallets.models import LIMIT, Balance
from accounts.wallets.operations import WalletClosed, touch_open
from accounts.wallets.queries import Key
from fido.lib.process.inserts import Condition
from fido.lib.process.prepared import repeated
from fido.lib.values import money
from fido.lib.values.errors import DomainError

MOVE = """\
UPDATE wallets_balance SET amount = amount + %s
WHERE user_id = %s AND wallet_id = %s AND currency = %s AND is_open
    AND amount + %s >= 0 AND amount + %s < %s
RETURNING amount AS value"""


class InsufficientFunds(DomainError):
    code, title = "insufficient-funds", "The wallet holds too little."


class BalanceTooLarge(DomainError):
    code = "balance-too-large"
    title = f"A balance has at most {money.INTEGER_DIGITS} digits before the point."


@dataclass(frozen=True)
class Movement:
    """A transaction's effect on a balance: `delta` is positive for incoming money."""

    key: Key
    delta: Decimal


@dataclass
class Held:
    """A balance that this transaction has locked; `now` is its new amount."""

    before: Decimal
    is_open: bool
    now: Decimal


def move(*, user_id: int, deltas: Mapping[Key, Decimal]) -> None:
    """Move balances of one user by the non-zero movements, all of them or none.

    A credit opens a currency that the wallet does not have.

    Raises:
        InsufficientFunds: a debit exceeds the balance.
        BalanceTooLarge
        WalletClosed
    """
    wanted = sorted((key, delta) for key, delta in deltas.items() if delta)
    if len(wanted) > 1:
        # Before any balance is locked: opening one locks its wallet.
        _open_missing(user_id, [key for key, delta in wanted if delta > 0])
    for key, delta in wanted:
        move_one(user_id, Movement(key, delta))


def move_one(user_id: int, movement: Movement) -> Decimal:
    """Move one balance; return the new amount. Raises as `open_or_refuse` does."""
    statement = moving(user_id, movement)
    with repeated() as cursor:
        while True:
            cursor.execute(statement.sql, statement.params)
            if row := cursor.fetchone():
                amount: Decimal = row[0]
                return amount
            open_or_refuse(user_id, movement)


def moving(user_id: int, movement: Movement) -> Condition:
    """The statement that moves one balance; it returns the new amount, or nothing if it cannot.

    Its condition is evaluated again after waiting for another write, so of two withdrawals of
    everything one finds nothing left.
    """
    (wallet_id, currency), delta = movement.key, movement.delta
    return Condition(MOVE, [delta, user_id, wallet_id, currency, delta, delta, LIMIT])


def open_or_refuse(user_id: int, movement: Movement) -> None:
    """Call it after a miss, and try again unless it raises.

    Each further miss means that another write came in between, or that the balance now exists.

    Raises:
        InsufficientFunds, BalanceTooLarge, WalletClosed
    """
    balance = queries.balance(user_id, movement.key)
    if balance is None:
        _open(user_id, movement.key, movement.delta)
    elif refusal := _refusal(balance.is_open, balance.amount, movement.delta):
        raise refusal


def settle(*, user_id: int, movements: Sequence[Movement]) -> dict[int, DomainError]:
    """Apply as many of the movements as possible to one user's balances, in order.

    Returns the refusals of the others, by position.
    """
    refused: dict[int, DomainError] = {}
    credited = {movement.key for movement in movements if movement.delta > 0}
    _open_missing(user_id, credited, lenient=True)
    held = _held(user_id, {movement.key for movement in movements})
    closed = _closed(user_id, {movement.key for movement in movements} - held.keys())
    for place, movement in enumerate(movements):
        balance = held.get(movement.key)
        if balance is None:
            gone = movement.key in closed
            refused[place] = WalletClosed() if gone else InsufficientFunds()
        elif refusal := _refusal(balance.is_open, balance.now, movement.delta):
            refused[place] = refusal
        else:
            balance.now = money.added(balance.now, movement.delta)
    for key, balance in held.items():
        if balance.now != balance.before:
            _of(user_id, key).update(amount=balance.now)
    return refused


def net(movements: Iterable[Movement]) -> dict[Key, Decimal]:
    """The sum of the movements, by balance."""
    sums: dict[Key, Decimal] = defaultdict(Decimal)
    for movement in movements:
        sums[movement.key] = money.added(sums[movement.key], movement.delta)
    return sums


def _refusal(is_open: bool, amount: Decimal, delta: Decimal) -> DomainError | None:
    after = money.added(amount, delta)
    if not is_open:
        return WalletClosed()
    if after < 0:
        return InsufficientFunds()
    return BalanceTooLarge() if after >= LIMIT else None


def _open(user_id: int, key: Key, delta: Decimal) -> None:
    if delta > 0:
        _open_empty(user_id, key)
    elif _closed(user_id, {key}):
        raise WalletClosed()
    else:
        raise InsufficientFunds()


def _open_missing(user_id: int, keys: Iterable[Key], *, lenient: bool = False) -> None:
    wanted = set(keys)
    if not wanted:
        return
    for key in sorted(wanted - queries.present(user_id, wanted)):
        try:
            _open_empty(user_id, key)
        except WalletClosed:
            if not lenient:
                raise


def _open_empty(user_id: int, key: Key) -> None:
    """Open a balance at zero, unless another writer has done so since we looked."""
    touch_open(user_id, key[0])
    wallet_id, currency = key
    row = Balance(user_id=user_id, wallet_id=wallet_id, currency=currency)
    Balance.objects.bulk_create([row], ignore_conflicts=True)


def _held(user_id: int, keys: Iterable[Key]) -> dict[Key, Held]:
    """The existing balances, locked by a real write, one by one in the order of their keys."""
    held = {}
    for key in sorted(keys):
        if _of(user_id, key).update(amount=F("amount")):
            row = _of(user_id, key).get()
            held[key] = Held(row.amount, row.is_open, row.amount)
    return held


def _closed(user_id: int, keys: set[Key]) -> set[Key]:
    """Those keys whose wallet is closed."""
    open_ids = queries.open_among(user_id, {wallet_id for wallet_id, _ in keys})
    return {key for key in keys if key[0] not in open_ids}


def _of(user_id: int, key: Key) -> queries.Balances:
    return Balance.objects.filter(user_id=user_id, wallet_id=key[0], currency=key[1])
