"""Wallets, and their balance in each currency."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from accounts.wallets import names
from fido.lib.values import clock, money
from fido.lib.values.ids import new_id
from fido.lib.values.money_sql import currency_is_a_code, has_the_currencys_decimals

# No balance reaches it. It keeps NaN out, which PostgreSQL treats as the greatest number.
LIMIT = 10**money.INTEGER_DIGITS


class WalletQuerySet(models.QuerySet["Wallet"]):
    def of(self, user_id: int) -> WalletQuerySet:
        return self.filter(user_id=user_id)

    def open(self) -> WalletQuerySet:
        return self.filter(closed_at__isnull=True)


class Wallet(models.Model):
    """Part of a user's money, under a name. A closed wallet remains for its history."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=names.MAX_LENGTH)
    closed_at = models.DateTimeField(null=True, blank=True)
    version = models.BigIntegerField(
        default=1, help_text="Incremented by each change, and by each new currency."
    )
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    objects = WalletQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "name"],
                condition=Q(closed_at__isnull=True),
                name="open_wallet_unique_by_name",
            ),
            # The target of balances and transactions: a wallet of the same user.
            models.UniqueConstraint(fields=["user", "id"], name="wallet_of_user"),
            models.CheckConstraint(
                name="wallet_name_fits_a_path",
                condition=Q(name__regex=r"^[^/\\[:cntrl:]]+$") & ~Q(name__in=[".", ".."]),
            ),
            models.CheckConstraint(name="wallet_version_is_positive", condition=Q(version__gt=0)),
        ]

    def __str__(self) -> str:
        return self.name


class Balance(models.Model):
    """A wallet's balance in one currency: its opening amount and everything moved since."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    # The constraint covers user and wallet together; see the migration.
    wallet = models.ForeignKey(
        Wallet,
        on_delete=models.PROTECT,
        related_name="balances",
        db_constraint=False,
        db_index=False,
    )
    currency = models.CharField(max_length=3)
    opening = models.DecimalField(
        max_digits=money.AMOUNT_DIGITS,
        decimal_places=money.MAX_DECIMALS,
        default=money.ZERO,
        help_text="The amount at the start; not a transaction.",
    )
    amount = models.DecimalField(
        max_digits=money.AMOUNT_DIGITS, decimal_places=money.MAX_DECIMALS, default=money.ZERO
    )
    is_open = models.BooleanField(default=True, help_text="Cleared when its wallet is closed.")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "wallet", "currency"], name="balance_unique_by_currency"
            ),
            models.CheckConstraint(
                name="balance_is_never_negative", condition=Q(amount__gte=0, amount__lt=LIMIT)
            ),
            models.CheckConstraint(
                name="opening_is_never_negative", condition=Q(opening__gte=0, opening__lt=LIMIT)
            ),
            models.CheckConstraint(
                name="balance_has_the_currencys_decimals",
                condition=has_the_currencys_decimals("amount"),
            ),
            models.CheckConstraint(
                name="opening_has_the_currencys_decimals",
                condition=has_the_currencys_decimals("opening"),
            ),
            models.CheckConstraint(
                name="balance_currency_is_a_code", condition=currency_is_a_code()
            ),
            models.CheckConstraint(
                name="closed_balance_is_zero", condition=Q(is_open=True) | Q(amount=0)
            ),
        ]

    def __str__(self) -> str:
        return self.currency
