"""Transactions: one row for each credit or debit."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from accounts.wallets.models import Wallet
from fido.lib.values import clock, money
from fido.lib.values.crypto.fields import (
    BlindIndexField,
    EncryptedTextField,
    matching,
    normalised_name,
)
from fido.lib.values.ids import new_id
from fido.lib.values.money_sql import currency_is_a_code, has_the_currencys_decimals
from transactions.files import columns


class TransactionQuerySet(models.QuerySet["Transaction"]):
    def of(self, user_id: int) -> TransactionQuerySet:
        return self.filter(user_id=user_id)

    def within(self, period: clock.Period) -> TransactionQuerySet:
        """Those with `start <= transaction_date < end`."""
        rows = self
        if period.start is not None:
            rows = rows.filter(transaction_date__gte=period.start)
        if period.end is not None:
            rows = rows.filter(transaction_date__lt=period.end)
        return rows

    def named(self, full_name: str) -> TransactionQuerySet:
        """Those with this whole name, without regard to case, accents and spacing."""
        return self.filter(matching(Transaction, "full_name", full_name))

    def visible_to(self, viewer: User) -> TransactionQuerySet:
        """The viewer's own; for staff with the permission, all."""
        everybody = viewer.may_for_others("transactions.view_transaction")
        return self.all() if everybody else self.of(viewer.pk)


class Transaction(models.Model):
    """A credit (money in) or a debit (money out) of one user."""

    class Type(models.TextChoices):
        CREDIT = "credit"
        DEBIT = "debit"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        User, on_delete=models.PROTECT, related_name="transactions", db_index=False
    )
    full_name = EncryptedTextField(null=True, blank=True)
    full_name_index = BlindIndexField(source="full_name", normalise=normalised_name)
    description = EncryptedTextField(null=True, blank=True)
    transaction_date = models.DateTimeField(help_text="When the money moved, in UTC.")
    transaction_amount = models.DecimalField(
        max_digits=money.AMOUNT_DIGITS,
        decimal_places=money.MAX_DECIMALS,
        help_text="Greater than zero, in the currency's units.",
    )
    transaction_type = models.CharField(max_length=6, choices=Type.choices)
    currency = models.CharField(max_length=3)
    external_id = models.CharField(  # noqa: DJ001 - NULLs may repeat where "" may not
        max_length=columns.max_length("external_id"),
        null=True,
        blank=True,
        help_text="The client's own id, unique for its user.",
    )
    # The constraint covers user and wallet together; see the migration.
    wallet = models.ForeignKey(
        Wallet,
        on_delete=models.PROTECT,
        related_name="+",
        null=True,
        blank=True,
        db_constraint=False,
        db_index=False,
        help_text="The wallet whose balance it moves.",
    )
    category = models.CharField(  # noqa: DJ001 - null is none, and "" is no category
        max_length=columns.max_length("category"),
        null=True,
        blank=True,
        help_text=columns.BY_NAME["category"].help_text,
    )
    # No foreign key: it would need an index of its own, and nothing asks by it alone.
    recorded_by = models.BigIntegerField(
        null=True,
        editable=False,
        help_text="The id of the user who recorded it for its user; null: its user did.",
    )
    version = models.BigIntegerField(default=1, help_text="Incremented by each edit.")
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    objects = TransactionQuerySet.as_manager()

    class Meta:
        # Every index that serves a user's history leads with the user, and all but the one on
        # amounts end with the order.
        indexes = [
            models.Index(fields=["user", "transaction_date", "id"], name="history"),
            models.Index(
                fields=["user", "currency", "transaction_date", "id"], name="history_by_currency"
            ),
            models.Index(
                fields=["user", "full_name_index", "transaction_date", "id"],
                name="history_by_name",
            ),
            models.Index(
                fields=["user", "transaction_type", "transaction_date", "id"],
                name="history_by_type",
            ),
            # For the rules of alerts: the last deposits in a currency, however many withdrawals,
            # and deposits in other currencies, came since.
            models.Index(
                fields=["user", "currency", "transaction_type", "transaction_date", "id"],
                name="history_by_currency_and_type",
            ),
            # These two cost nothing for a transaction without a wallet or a category.
            models.Index(
                fields=["user", "wallet", "transaction_date", "id"],
                condition=Q(wallet__isnull=False),
                name="history_by_wallet",
            ),
            models.Index(
                fields=["user", "category", "transaction_date", "id"],
                condition=Q(category__isnull=False),
                name="history_by_category",
            ),
            # For amounts that are rare; for frequent ones, walking the history in order is cheaper.
            models.Index(fields=["user", "transaction_amount"], name="history_by_amount"),
            # For staff, who may page through all users' transactions.
            models.Index(fields=["transaction_date", "id"], name="history_of_everybody"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "external_id"],
                condition=Q(external_id__isnull=False),
                name="external_id_unique_per_user",
            ),
            models.CheckConstraint(
                # The upper bound keeps NaN out, which PostgreSQL treats as the greatest number.
                name="amount_is_positive_and_finite",
                condition=Q(
                    transaction_amount__gt=0, transaction_amount__lt=10**money.INTEGER_DIGITS
                ),
            ),
            models.CheckConstraint(
                # What Python can read back: no infinity, no year 10000, no BC.
                name="date_is_of_the_years_1_to_9999",
                condition=Q(
                    transaction_date__gte=clock.FIRST_MOMENT,
                    transaction_date__lte=clock.LAST_MOMENT,
                ),
            ),
            models.CheckConstraint(
                name="amount_has_the_currencys_decimals",
                condition=has_the_currencys_decimals("transaction_amount"),
            ),
            models.CheckConstraint(
                name="type_is_credit_or_debit",
                condition=Q(transaction_type__regex="^(credit|debit)$"),
            ),
            models.CheckConstraint(name="currency_is_a_code", condition=currency_is_a_code()),
            models.CheckConstraint(name="version_is_positive", condition=Q(version__gt=0)),
            models.CheckConstraint(
                # Of null, a comparison is unknown, and that is no violation.
                name="external_id_is_not_empty",
                condition=Q(external_id__gt=""),
            ),
            models.CheckConstraint(name="category_is_not_empty", condition=Q(category__gt="")),
            models.CheckConstraint(
                name="index_goes_with_name",
                condition=Q(full_name__isnull=False) | Q(full_name_index__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)


def recorder(owner_id: int, recorded_by: int | None) -> int | None:
    """What `recorded_by` is for a transaction of this owner."""
    return None if recorded_by == owner_id else recorded_by
