"""Daily sums of transactions."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from fido.lib.values import money
from fido.lib.values.ids import new_id

MAX_TOTAL = 10 ** (money.TOTAL_DIGITS - money.MAX_DECIMALS)


class DailyTotals(models.Model):
    """Part of what one user moved on one UTC day in one currency.

    The sum of all rows of a (user, day, currency) is the truth: at most one folded row, and the
    pending rows appended since. Signs are as the writes made them, so a pending row of an edit or a
    delete may be negative.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField(help_text="In UTC.")
    currency = models.CharField(max_length=3)
    pending = models.BooleanField(default=True, help_text="Appended, and not folded yet.")
    count = models.BigIntegerField()
    credit = models.DecimalField(max_digits=money.TOTAL_DIGITS, decimal_places=money.MAX_DECIMALS)
    debit = models.DecimalField(max_digits=money.TOTAL_DIGITS, decimal_places=money.MAX_DECIMALS)

    class Meta:
        verbose_name_plural = "daily totals"
        indexes = [
            models.Index(
                fields=["user", "day", "currency"],
                include=["count", "credit", "debit"],
                name="totals_of_user",
            ),
            models.Index(
                fields=["user", "day", "currency"],
                condition=Q(pending=True),
                name="totals_pending",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "day", "currency"],
                condition=Q(pending=False),
                name="one_folded_row_a_day",
            ),
            models.CheckConstraint(
                # PostgreSQL treats NaN as the greatest number.
                name="totals_are_numbers",
                condition=Q(credit__lt=MAX_TOTAL, debit__lt=MAX_TOTAL),
            ),
            models.CheckConstraint(
                name="totals_currency_is_a_code", condition=Q(currency__regex="^[A-Z]{3}$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.currency}"


class RecentWriter(models.Model):
    """A user whose totals have changed since their last standing check. The fold says so."""

    # Grows with time: that of a pending row. So the latest writers have the greatest ones.
    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"user {self.user_id}"
