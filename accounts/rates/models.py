"""What the bank has published, and the state of the sync."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from fido.lib.values import clock


class PublishedTable(models.Model):
    """One of the bank's tables, as first fetched. Rows are only added: they are history."""

    class Letter(models.TextChoices):
        MID = "A", "A: mid rates"
        RARE = "B", "B: mid rates of rare currencies"
        DEALING = "C", "C: bid and ask"

    letter = models.CharField("table", max_length=1, choices=Letter.choices)
    effective_date = models.DateField()
    fetched_at = models.DateTimeField(default=clock.now)
    prices = models.JSONField(help_text="By currency, as decimal strings in the base.")

    class Meta:
        indexes = [
            # A bank may correct a table: for one day the row that came last counts.
            models.Index(fields=["letter", "-effective_date", "-id"], name="rates_newest_first"),
        ]
        constraints = [
            models.CheckConstraint(name="rates_letter", condition=Q(letter__in=["A", "B", "C"])),
        ]

    def __str__(self) -> str:
        return f"{self.letter} {self.effective_date}"


class SyncState(models.Model):
    """The single row of the sync. Each sync writes to it first, so syncs take turns."""

    ONLY = 1

    id = models.SmallIntegerField(primary_key=True, default=ONLY)
    attempted_at = models.DateTimeField(null=True)
    # When table A last came, whether or not it was new.
    fetched_at = models.DateTimeField(null=True)
    # Why the last attempt failed, and since when.
    refusal = models.CharField(max_length=30, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    refused_since = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(name="rates_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return self.refusal or "well"
