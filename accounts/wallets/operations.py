"""Everything that writes wallets and opens balances. `movements` moves them.

Everyone takes locks in one order: first a wallet's row, then its balances. Opening a balance and
closing the wallet both begin with a write to the wallet's row, so they take turns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from psycopg.errors import UniqueViolation

from accounts import operations as accounts
from accounts.models import User
from accounts.wallets import queries
from accounts.wallets.models import Balance, Wallet
from accounts.wallets.names import MAIN
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock, money
from fido.lib.values.errors import DomainError, InvalidInput, NotFound, PreconditionFailed

# So that a list of all of a user's wallets remains a readable page.
MAX_WALLETS = 1000


class WalletClosed(DomainError):
    """The wallet was closed; its contents stay as they are."""

    code, title = "wallet-closed", "The wallet is closed."


class WalletHoldsMoney(DomainError):
    code, title = "wallet-holds-money", "The wallet holds money: take it out first."


class TooManyWallets(DomainError):
    code, title = "too-many-wallets", f"A user has at most {MAX_WALLETS} wallets."


class WalletTaken(InvalidInput):
    """The user has an open wallet of this name, or the wallet has this currency."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(field, "taken", detail)


def create_wallet(*, user_id: int, name: str) -> Wallet:
    """Open a wallet, without any currency yet. `name` comes from `names.parse`.

    Raises:
        WalletTaken, TooManyWallets
    """
    if Wallet.objects.of(user_id).open().count() >= MAX_WALLETS:
        raise TooManyWallets()
    now = clock.now()
    wallet = Wallet(user_id=user_id, name=name, created_at=now, updated_at=now)
    with write_fence(user_id):
        _refusing_taken(lambda: wallet.save(force_insert=True), wallet, name)
    return wallet


def rename_wallet(*, wallet: Wallet, name: str, if_unchanged: bool = False) -> Wallet:
    """Rename an open wallet; its transactions show the new name too.

    Raises:
        WalletTaken
        NotFound: it was closed meanwhile.
        PreconditionFailed: the change was conditional, and the wallet differs from `wallet`.
    """
    rows = _still(wallet, if_unchanged)
    changes: dict[str, Any] = {"name": name, "updated_at": clock.now(), "version": F("version") + 1}

    def write() -> None:
        if not rows.update(**changes):
            raise PreconditionFailed() if if_unchanged else NotFound()

    # Lists of the wallet's transactions show its name, so they change too.
    with write_fence(wallet.user_id):
        _refusing_taken(write, wallet, name)
    return Wallet.objects.of(wallet.user_id).get(id=wallet.pk)


def close_wallet(*, wallet: Wallet, if_unchanged: bool = False) -> None:
    """Close a wallet permanently, and free its name. Its transactions remain.

    Raises:
        WalletHoldsMoney
        NotFound: another request has closed it.
        PreconditionFailed: the change was conditional, and the wallet differs from `wallet`.
    """
    now = clock.now()
    with write_fence(wallet.user_id), transaction.atomic():
        rows = _still(wallet, if_unchanged)
        if not rows.update(closed_at=now, updated_at=now, version=F("version") + 1):
            raise PreconditionFailed() if if_unchanged else NotFound()
        balances = queries.open_balances(wallet.user_id, wallet.pk)
        _shut_empty(balances)
        if balances.exists():
            raise WalletHoldsMoney()


def open_balance(*, wallet: Wallet, currency: str, opening: Decimal = money.ZERO) -> Balance:
    """Open a currency in a wallet with `opening`, which is not a transaction.

    Raises:
        WalletTaken: the wallet has this currency.
        WalletClosed
        InvalidInput: the amount has more decimals than the currency.
    """
    require_decimals(opening, currency, field="amount")
    balance = Balance(
        user_id=wallet.user_id,
        wallet_id=wallet.pk,
        currency=currency,
        opening=opening,
        amount=opening,
    )
    with write_fence(wallet.user_id), transaction.atomic():
        touch_open(wallet.user_id, wallet.pk)
        # From here on nobody else can open a balance in this wallet.
        if queries.balance(wallet.user_id, (wallet.pk, currency)):
            raise WalletTaken("currency", "The wallet already has this currency.")
        balance.save(force_insert=True)
    return balance


@dataclass(frozen=True, kw_only=True)
class NewCustomer:
    """Somebody who does not log in, with `total` in the default wallet."""

    full_name: str
    currency: str
    total: Decimal

    def require_decimals(self) -> None:
        """Raises InvalidInput: the total has more decimals than the currency."""
        require_decimals(self.total, self.currency, field="total")


def create_customers(customers: Sequence[NewCustomer]) -> list[User]:
    """Create them all, in the same order. Their totals have their currencies' decimals."""
    # Without a fence: before this commits nobody can have read anything about them.
    with transaction.atomic():
        users = accounts.create_customers((each.full_name, each.currency) for each in customers)
        wallets = Wallet.objects.bulk_create(Wallet(user=user, name=MAIN) for user in users)
        balances = zip(wallets, customers, strict=True)
        Balance.objects.bulk_create(_opened(wallet, customer) for wallet, customer in balances)
    return users


def touch_open(user_id: int, wallet_id: Any) -> None:
    """Write to an open wallet's row, so that it cannot be closed before this transaction ends.

    Raises:
        WalletClosed
    """
    rows = Wallet.objects.of(user_id).open().filter(id=wallet_id)
    if not rows.update(version=F("version") + 1):
        raise WalletClosed()


def require_decimals(amount: Decimal, currency: str, *, field: str) -> None:
    """Raises InvalidInput: the amount has more decimals than its currency."""
    try:
        money.require_decimals(amount, currency)
    except money.MalformedAmount as error:
        raise InvalidInput(field, error.code, str(error)) from None


def _opened(wallet: Wallet, customer: NewCustomer) -> Balance:
    return Balance(
        user_id=wallet.user_id,
        wallet=wallet,
        currency=customer.currency,
        opening=customer.total,
        amount=customer.total,
    )


def _still(wallet: Wallet, if_unchanged: bool) -> Any:
    rows = Wallet.objects.of(wallet.user_id).open().filter(id=wallet.pk)
    return rows.filter(version=wallet.version) if if_unchanged else rows


def _shut_empty(balances: queries.Balances) -> None:
    """Close the balances that are zero, in the order of their keys, as everyone locks them."""
    for currency in sorted(balances.filter(amount=0).values_list("currency", flat=True)):
        # This waits for a concurrent move; a later one finds the balance closed.
        balances.filter(currency=currency, amount=0).update(is_open=False)


def _refusing_taken(write: Any, wallet: Wallet, name: str) -> None:
    taken = WalletTaken("name", "There is already a wallet with this name.")
    # Checked first, so that two wallets which swap names do not deadlock.
    if (holder := queries.open_wallet(wallet.user_id, name)) and holder.pk != wallet.pk:
        raise taken
    try:
        with transaction.atomic():
            write()
    except IntegrityError as error:
        # The holder may have given the name up again, so only the constraint can tell.
        if isinstance(error.__cause__, UniqueViolation):
            raise taken from None
        raise
