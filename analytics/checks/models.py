"""What standing checks have found, and how far they have got."""

from __future__ import annotations

from django.db import models

from accounts.models import User
from fido.lib.values import clock
from fido.lib.values.ids import new_id


class Finding(models.Model):
    """What the latest check of a user found. It goes when a later one finds no difference.

    One row says it of all differences of a kind, so that a damaged table makes no flood.
    """

    class Kind(models.TextChoices):
        TOTALS = "totals"
        BALANCES = "balances"
        UNCHECKED = "unchecked", "could not be checked"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=9, choices=Kind.choices)
    count = models.PositiveIntegerField("differences")
    first = models.TextField("the first of them")
    since = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind"], name="one_finding_of_a_kind"),
        ]

    def __str__(self) -> str:
        return f"user {self.user_id}: {self.kind}"


class CheckedRange(models.Model):
    """When the users up to an id, and after that of the range before, were last checked.

    A row for each user would cost as much as most checks do.
    """

    last_user_id = models.BigIntegerField(primary_key=True)
    checked_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"to {self.last_user_id}"
