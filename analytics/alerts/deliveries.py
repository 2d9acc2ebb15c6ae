"""Webhooks: what is to be sent, the attempts, and the secrets.

Deliveries are rows of the same database transaction as their alerts, so each alert is sent at
least once to each endpoint that was there, or is seen to have been given up.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from analytics.alerts import queries, signing
from analytics.alerts.models import Alert, Delivery, DeliveryAttempt, WebhookEndpoint
from fido.lib.outbound import calls
from fido.lib.values import clock

TRIED_FOR = timedelta(days=3)
FIRST_DELAY, LONGEST_DELAY, FACTOR = timedelta(seconds=5), timedelta(hours=6), 3
# Longer than an attempt takes: a name is looked up, and then there is a deadline.
LEASE = timedelta(seconds=60)


@dataclass(frozen=True)
class Outcome:
    """The status that the endpoint answered, or why there is none."""

    status: int | None
    error: str
    milliseconds: int

    @property
    def is_delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def enqueue(alerts: list[Alert]) -> bool:
    """Notes down what is to be sent, in the caller's transaction; whether there is anything."""
    endpoints = WebhookEndpoint.objects.filter(enabled=True).values_list("pk", flat=True)
    now = clock.now()
    rows = [
        Delivery(
            user_id=alert.user_id,
            alert_id=alert.pk,
            endpoint_id=endpoint_id,
            due_at=now,
            gives_up_at=now + TRIED_FOR,
        )
        for endpoint_id in endpoints
        for alert in alerts
    ]
    Delivery.objects.bulk_create(rows, 1000)
    return bool(rows)


def deliver_one(user_id: int) -> bool:
    """Makes one attempt at what is due longest of a user's; whether there was any."""
    for delivery_id in queries.due_deliveries(user_id):
        if delivery := claim(user_id, delivery_id):
            settle(delivery, attempt(delivery))
            return True
    return False


def claim(user_id: int, delivery_id: UUID) -> Delivery | None:
    """The delivery, to be tried by the caller alone for as long as the lease lasts."""
    lease = uuid.uuid4()
    rows = Delivery.objects.filter(user_id=user_id, id=delivery_id)
    if not rows.filter(queries.is_due()).update(lease=lease, leased_until=Now() + LEASE):
        return None
    return rows.filter(lease=lease).select_related("endpoint").first()


def attempt(delivery: Delivery) -> Outcome:
    """Sends it. Outside of any database transaction, which it would hold open."""
    started = time.monotonic()
    status, error = None, ""
    try:
        status = _sent(delivery)
    except calls.NotSent as refusal:
        error = refusal.code
    return Outcome(status, error, int((time.monotonic() - started) * 1000))


def settle(delivery: Delivery, outcome: Outcome) -> bool:
    """Writes down how it went, and when it is tried again; False: another worker has taken over."""
    now = clock.now()
    changes: dict[str, Any] = {"status": Delivery.Status.DELIVERED}
    if not outcome.is_delivered:
        due_at = now + delay(delivery.attempts)
        gives_up = due_at > delivery.gives_up_at
        changes = {"status": Delivery.Status.FAILED} if gives_up else {"due_at": due_at}
    mine = Delivery.objects.filter(user_id=delivery.user_id, id=delivery.pk, lease=delivery.lease)
    with transaction.atomic():
        settled = mine.update(**changes, attempts=F("attempts") + 1, lease=None, leased_until=None)
        if settled:
            DeliveryAttempt.objects.create(
                user_id=delivery.user_id, delivery_id=delivery.pk, at=now, **vars(outcome)
            )
    return bool(settled)


def redeliver(rows: Iterable[Delivery]) -> int:
    """Has them tried again at once, for as long as new ones are; how many."""
    now, count = clock.now(), 0
    for row in rows:
        mine: QuerySet[Delivery] = Delivery.objects.filter(user_id=row.user_id, id=row.pk)
        count += mine.update(
            status=Delivery.Status.PENDING, due_at=now, gives_up_at=now + TRIED_FOR
        )
    return count


def rotate(endpoint: WebhookEndpoint) -> None:
    """Adds a secret; the present one stays beside it, and one before that goes."""
    secrets = {"previous_secret": endpoint.secret, "secret": signing.new_secret()}
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**secrets)


def forget_previous(endpoint: WebhookEndpoint) -> None:
    """From now on what is sent is signed by the newest secret alone."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(previous_secret=None)


def delay(attempts: int) -> timedelta:
    """How long to wait after so many attempts and one more; apart, so that they do not pile up."""
    growing: timedelta = min(FIRST_DELAY * FACTOR ** min(attempts, 20), LONGEST_DELAY)
    return growing * random.uniform(0.75, 1.25)  # noqa: S311


def payload(alert: Alert) -> str:
    """What is sent, the same at each attempt. It names nobody."""
    data = {
        "id": str(alert.pk),
        "code": alert.code,
        "user_id": alert.user_id,
        "transaction_id": str(alert.transaction_id),
        "time": clock.text(alert.time),
        "created_at": clock.text(alert.created_at),
    }
    message = {"type": "alert.raised", "timestamp": data["created_at"], "data": data}
    return json.dumps(message, separators=(",", ":"))


def _sent(delivery: Delivery) -> int:
    alert = Alert.objects.get(user_id=delivery.user_id, id=delivery.alert_id)
    endpoint, body = delivery.endpoint, payload(alert)
    keys = [key for key in (endpoint.secret, endpoint.previous_secret) if key]
    if not keys:
        raise calls.NotSent("secret-unreadable")
    headers = signing.headers(str(delivery.pk), clock.now(), body, keys)
    headers |= {"Content-Type": "application/json", "User-Agent": "Fido"}
    return calls.post(
        endpoint.url, body.encode(), headers, allow_loopback=settings.WEBHOOK_ALLOW_LOOPBACK
    )
