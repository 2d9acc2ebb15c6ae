"""Rules, the alerts that they raised, and the pending checks."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from accounts.models import User, require_known_currency
from analytics.alerts.rules import Kind
from analytics.alerts.signing import new_secret
from fido.lib.outbound.calls import MAX_URL_LENGTH
from fido.lib.values import clock
from fido.lib.values.crypto.fields import EncryptedTextField
from fido.lib.values.ids import new_id

# Codes are labels of a metric, so their number must be limited.
MAX_CODE = 9999
# Of a message, which then has some 25 kB.
MAX_ALERTS = 100


class Rule(models.Model):
    """One rule that staff may edit. Its kind defines its parameters."""

    code = models.PositiveSmallIntegerField(
        help_text=f"Identifies the rule's alerts: 1 to {MAX_CODE:,}. Existing alerts keep theirs."
    )
    kind = models.CharField(max_length=30)
    parameters = models.JSONField(default=dict, blank=True)
    currency = models.CharField(
        max_length=3,
        blank=True,
        validators=[require_known_currency],
        help_text="The currency that it checks; empty means the default currency.",
    )
    enabled = models.BooleanField(default=True, help_text="If cleared, it raises no more alerts.")
    position = models.PositiveSmallIntegerField(
        default=100, help_text="Answers list codes in this order, then by id."
    )

    class Meta:
        ordering = ("position", "id")
        constraints = [
            models.UniqueConstraint(fields=["code", "currency"], name="rule_code_per_currency"),
            models.CheckConstraint(
                name="rule_code_in_bounds", condition=Q(code__gte=1, code__lte=MAX_CODE)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.kind}"

    @property
    def in_currency(self) -> str:
        return self.currency or str(settings.DEFAULT_CURRENCY)

    @staticmethod
    def kinds() -> list[tuple[str, str]]:
        return [(name, name) for name in Kind.known]


class Alert(models.Model):
    """A rule was raised by a transaction. A permanent record: it stays when either is changed.

    It stores only the transaction's id, because the transaction may be deleted.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    rule = models.ForeignKey(Rule, on_delete=models.PROTECT, related_name="+", db_index=False)
    code = models.PositiveSmallIntegerField(help_text="The rule's code when it was raised.")
    transaction_id = models.UUIDField()
    time = models.DateTimeField(help_text="The transaction's time when it was checked.")
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        indexes = [
            models.Index(fields=["user", "time", "id"], name="alerts_of_user"),
            models.Index(fields=["user", "code", "time", "id"], name="alerts_of_user_by_code"),
            # For staff, who may page through all users' alerts.
            models.Index(fields=["time", "id"], name="alerts_of_everybody"),
            models.Index(fields=["code", "time", "id"], name="alerts_of_everybody_by_code"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "rule", "transaction_id"], name="alert_once_per_transaction"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.id}"


class EventClock(models.Model):
    """One row per user. Each event writes to it first, so that events take turns."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")
    latest = models.DateTimeField(
        help_text="The latest event's time; a new one may not be earlier."
    )
    # The next event's id is greater, whatever the clocks of the web servers say.
    transaction_id = models.UUIDField(null=True)

    class Meta:
        default_permissions = ()  # staff have no access

    def __str__(self) -> str:
        return str(self.latest)


class PendingCheck(models.Model):
    """Transactions for the background to check: all with ids from `first` to `last`.

    `first` and `last` are ids of one block, with no other ids between them; `since` and `until` are
    their first and last times when they were recorded. If there are many, they are checked in steps
    in the order of (currency, date, id): `after_…` is the position reached.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    first = models.UUIDField()
    last = models.UUIDField()
    since = models.DateTimeField()
    until = models.DateTimeField()
    after_currency = models.CharField(max_length=3, blank=True)
    after_date = models.DateTimeField(null=True)
    after_id = models.UUIDField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["user", "id"], name="pending_checks_of_user")]
        constraints = [
            models.CheckConstraint(name="pending_check_in_order", condition=Q(first__lte=F("last")))
        ]

    def __str__(self) -> str:
        return str(self.id)


class CheckTurn(models.Model):
    """One row per user. Each check writes to it first, so that checks take turns."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")
    taken_at = models.DateTimeField(default=clock.now)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.taken_at)


class WebhookEndpoint(models.Model):
    """An address that receives every alert, and the secrets that authenticate us there."""

    url = models.CharField(
        max_length=MAX_URL_LENGTH, help_text="Begins with https://. It receives all new alerts."
    )
    description = models.CharField(max_length=200, blank=True)
    enabled = models.BooleanField(default=True, help_text="If cleared, nothing is sent there.")
    max_alerts = models.PositiveSmallIntegerField(
        "alerts in a message",
        default=1,
        db_default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MAX_ALERTS)],
        help_text="1: each alert is sent on its own, as alert.raised. More: up to so many of a user"
        f" are sent together, as alerts.raised, which its receiver has to know. {MAX_ALERTS} at"
        " most.",
    )
    secret = EncryptedTextField(default=new_secret, editable=False)
    # While a receiver changes over, both secrets sign each message.
    previous_secret = EncryptedTextField(null=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # How often it has failed since it last took something, and when it is tried again if that is
    # too often. Meanwhile nothing is sent there.
    failures = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    next_try_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        permissions = [("view_webhook_secret", "Can see the secrets of webhook endpoints")]
        constraints = [
            models.CheckConstraint(
                name="endpoint_alerts_in_bounds",
                condition=Q(max_alerts__gte=1, max_alerts__lte=MAX_ALERTS),
            )
        ]

    def __str__(self) -> str:
        return self.description or f"endpoint {self.pk}"


class Delivery(models.Model):
    """A message to one endpoint about alerts of one user.

    Its id is the `webhook-id` of every attempt.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    alert = models.ForeignKey(Alert, on_delete=models.PROTECT, related_name="+", db_index=False)
    # If its endpoint takes several in a message: all of them in their order, `alert` first. What it
    # takes later does not change this message.
    alert_ids = ArrayField(models.UUIDField(), null=True)
    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=clock.now)
    gives_up_at = models.DateTimeField()
    # The current worker's lease. A worker that has lost it does not record a result.
    lease = models.UUIDField(null=True)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(
                fields=["user", "due_at"],
                condition=Q(status="pending"),
                name="deliveries_due_of_user",
            ),
            # For the job that finds due deliveries.
            models.Index(fields=["due_at"], condition=Q(status="pending"), name="deliveries_due"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "alert", "endpoint"], name="delivery_once_per_endpoint"
            ),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def all_alert_ids(self) -> list[UUID]:
        return self.alert_ids or [self.alert_id]


class DeliveryAttempt(models.Model):
    """The result of one attempt: a status, or why there was none."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+", db_index=False)
    delivery = models.ForeignKey(
        Delivery, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    at = models.DateTimeField(default=clock.now)
    status = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=50, blank=True)
    milliseconds = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["user", "delivery", "id"], name="attempts_of_delivery")]

    def __str__(self) -> str:
        return str(self.status or self.error)
