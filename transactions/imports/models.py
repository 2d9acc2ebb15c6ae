"""Imports: what was uploaded, how far it has come, and what was refused of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from fido.lib.values import clock
from fido.lib.values.ids import new_id

MAX_ERRORS = 1000


class Import(models.Model):
    """One file that is being made into transactions of one user. It holds nothing of the file."""

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
    layout = models.JSONField(
        help_text="Format, separator and columns, as the file's head has them."
    )
    size_bytes = models.BigIntegerField()
    # Counted in the database transaction that creates the rows: where it stands is where a
    # worker goes on that takes over from one that died.
    rows_read = models.BigIntegerField(default=0)
    rows_created = models.BigIntegerField(default=0)
    rows_refused = models.BigIntegerField(default=0)
    errors = models.JSONField(
        default=list, help_text=f"The first {MAX_ERRORS:,}: line, column, code and detail."
    )
    failure = models.CharField(max_length=50, blank=True, help_text="Why it failed: a code.")
    # Whose turn it is. A worker that lost its lease cannot commit any more.
    lease = models.UUIDField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    starts = models.IntegerField(default=0, help_text="Since rows were last created.")
    created_at = models.DateTimeField(default=clock.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            models.Index(fields=["user", "created_at"], name="imports_of_user"),
            # For the job that looks for those whose worker has died.
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
