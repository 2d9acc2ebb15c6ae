"""Imports: the upload, its progress, the rows that were refused, and those that it created."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.models import User
from fido.lib.values import clock
from fido.lib.values.ids import new_id

MAX_ERRORS = 1000
MAX_MAPPING_NAME = 50
# Of an undo's answer.
MAX_KEPT = 1000


class Import(models.Model):
    """One file being imported into one user's transactions. It stores nothing of the file."""

    class Status(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"
        UNDOING = "undoing"
        UNDONE = "undone"

    UNFINISHED = (Status.QUEUED, Status.RUNNING, Status.UNDOING)

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
    # Counted in the database transaction that deletes the rows.
    rows_undone = models.BigIntegerField(
        default=0, db_default=0, help_text="Created rows that an undo has deleted."
    )
    rows_kept = models.BigIntegerField(
        default=0, db_default=0, help_text="Created rows that the latest undo has left."
    )
    kept = models.JSONField(
        default=list,
        db_default=[],
        help_text=f"The first {MAX_KEPT:,} of them that it met: id and code.",
    )
    undone_to = models.BigIntegerField(
        null=True, blank=True, help_text="The position of the batch that an undo did last."
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
                condition=Q(status__in=["queued", "running", "undoing"]),
                name="imports_not_ended",
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

    @property
    def is_by_user(self) -> bool:
        """Whether each row named its user, who then owns what it created."""
        return bool(self.layout.get("by_user"))

    @property
    def rows_left(self) -> int:
        """How many created rows no undo has deleted. Their owner may have."""
        return self.rows_created - self.rows_undone


class ImportBatch(models.Model):
    """Which rows a batch of an import created for one user: those with ids from `first` to `last`.

    They are of one block, with no other ids between them. The row is written with theirs. `user` is
    the import's.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    source = models.ForeignKey(Import, on_delete=models.PROTECT, related_name="+", db_index=False)
    # No foreign key: nothing asks by it alone, and the rows themselves have one.
    owner_id = models.BigIntegerField(
        null=True, help_text="Whose rows they are; null: the import's user's, by an older release."
    )
    position = models.BigIntegerField(
        help_text="How many of the file's records, or of those of a batch, come before it."
    )
    first = models.UUIDField()
    last = models.UUIDField()
    rows = models.IntegerField(help_text="How many it created.")
    left = models.IntegerField(help_text="How many of them were there after the latest undo.")

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["user", "source", "position"], name="import_batch_once"
            ),
            models.CheckConstraint(
                name="import_batch_in_order", condition=Q(first__lte=models.F("last"))
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def owned_by(self) -> int:
        """The id of the user whose rows they are."""
        return self.owner_id or self.user_id


class SavedMapping(models.Model):
    """What the columns of a foreign CSV are, kept by a user under a name."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    name = models.CharField(max_length=MAX_MAPPING_NAME)
    mapping = models.JSONField(help_text="Roles of columns, formats and signs.")
    version = models.BigIntegerField(default=1)
    created_at = models.DateTimeField(default=clock.now)
    updated_at = models.DateTimeField(default=clock.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="mapping_unique_by_name"),
        ]

    def __str__(self) -> str:
        return self.name
