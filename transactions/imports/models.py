"""Imports: the upload, its progress, and the rows that were refused."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from fido.lib.values import clock
from fido.lib.values.ids import new_id

MAX_ERRORS = 1000
MAX_MAPPING_NAME = 50


class Import(models.Model):
    """One file being imported into one user's transactions. It stores nothing of the file."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    UNFINISHED = (Status.QUEUED, Status.RUNNING)

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.QUEUED)
    layout = models.JSONField(help_text="Its form, and what it takes to read it.")
    size_bytes = models.BigIntegerField()
    # Counted in the database transaction that creates the rows. If a worker dies, the next one
    # continues from this count.
    rows_read = models.BigIntegerField(default=0)
    rows_created = models.BigIntegerField(default=0)
    rows_refused = models.BigIntegerField(default=0)
    errors = models.JSONField(
        default=list, help_text=f"The first {MAX_ERRORS:,}: line, column, code and detail."
    )
    failure = models.CharField(max_length=50, blank=True, help_text="Why it failed: a code.")
    failure_detail = models.CharField(max_length=200, blank=True, db_default="")
    # Of a bank's file, known at its end.
    rows_pending = models.BigIntegerField(
        default=0, db_default=0, help_text="Entries that the bank has not booked yet: left out."
    )
    warnings = models.JSONField(
        default=list,
        db_default=[],
        help_text="Statements whose entries do not add up.",
    )
    # The current worker's lease. A worker that has lost it can no longer commit.
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    starts = models.IntegerField(default=0, help_text="Starts since rows were last created.")
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "created_at"], name="imports_of_user"),
            # For the job that finds imports whose worker has died.
            models.Index(
                fields=["leased_until"],
                condition=Q(status__in=["queued", "running"]),
                name="imports_unfinished",
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="rows_add_up",
                condition=Q(rows_read=models.F("rows_created") + models.F("rows_refused")),
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def is_unfinished(self) -> bool:
        return self.status in self.UNFINISHED


class SavedMapping(models.Model):
    """What the columns of a foreign CSV are, kept by a user under a name."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=MAX_MAPPING_NAME)
    mapping = models.JSONField(help_text="As API.md describes it. It holds no names of people.")
    version = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="mapping_unique_by_name"),
        ]

    def __str__(self) -> str:
        return self.name
