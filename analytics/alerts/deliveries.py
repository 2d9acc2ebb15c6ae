"""Webhooks: the outbox of deliveries, their attempts, and the secrets.

Deliveries are rows in the same database transaction as their alerts. So each alert is sent at least
once to each endpoint that existed then, or its delivery is visibly given up.
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
from analytics.alerts.queries import Lane
from fido.lib.outbound import calls
from fido.lib.values import clock

TRIED_FOR = timedelta(days=3)
FIRST_DELAY, LONGEST_DELAY, FACTOR = timedelta(seconds=5), timedelta(hours=6), 3
# Longer than an attempt takes: a name lookup, then a call with a deadline.
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


def enqueue(owners: dict[UUID, int], endpoint_ids: list[int]) -> None:
    """Add a delivery of each alert to each endpoint to the outbox, in the caller's transaction.

    `owners` has the alerts' ids, and whose they are.
    """
    now = clock.now()
    rows = [
        Delivery(
            user_id=user_id,
            alert_id=alert_id,
            endpoint_id=endpoint_id,
            due_at=now,
            gives_up_at=now + TRIED_FOR,
        )
        for endpoint_id in endpoint_ids
        for alert_id, user_id in owners.items()
    ]
    Delivery.objects.bulk_create(rows, 1000)


def deliver_next(lane: Lane) -> bool:
    """Attempt the lane's delivery that has been due longest; return whether there was one."""
    for user_id, delivery_id in queries.due_deliveries(lane):
        if delivery := claim(user_id, delivery_id):
            conclude(delivery, attempt(delivery))
            return True
    return False


def claim(user_id: int, delivery_id: UUID) -> Delivery | None:
    """The delivery, leased to the caller alone."""
    lease = uuid.uuid4()
    rows = Delivery.objects.filter(user_id=user_id, id=delivery_id)
    if not rows.filter(queries.is_due()).update(lease=lease, leased_until=Now() + LEASE):
        return None
    return rows.filter(lease=lease).select_related("endpoint").first()


def attempt(delivery: Delivery) -> Outcome:
    """Send it, outside any database transaction, which would stay open meanwhile."""
    started = time.monotonic()
    status, error = None, ""
    try:
        status = _sent(delivery)
    except calls.NotSent as refusal:
        error = refusal.code
    return Outcome(status, error, int((time.monotonic() - started) * 1000))


def conclude(delivery: Delivery, outcome: Outcome) -> bool:
    """Record the result and the time of the next attempt; False: another worker has claimed it."""
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
    """Retry them at once, for as long as new ones are retried; return how many."""
    now, count = clock.now(), 0
    for row in rows:
        mine: QuerySet[Delivery] = Delivery.objects.filter(user_id=row.user_id, id=row.pk)
        count += mine.update(
            status=Delivery.Status.PENDING, due_at=now, gives_up_at=now + TRIED_FOR
        )
    return count


def rotate(endpoint: WebhookEndpoint) -> None:
    """Add a secret; the current one stays as the previous one, and the older one is dropped."""
    secrets = {"previous_secret": endpoint.secret, "secret": signing.new_secret()}
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(**secrets)


def forget_previous(endpoint: WebhookEndpoint) -> None:
    """From now on only the newest secret signs."""
    WebhookEndpoint.objects.filter(pk=endpoint.pk).update(previous_secret=None)


def delay(attempts: int) -> timedelta:
    """The wait after attempt `attempts` + 1, with jitter so that retries do not pile up."""
    growing: timedelta = min(FIRST_DELAY * FACTOR ** min(attempts, 20), LONGEST_DELAY)
    return growing * random.uniform(0.75, 1.25)  # noqa: S311


def payload(alert: Alert) -> str:
    """The request body, the same at each attempt. It contains no names."""
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
