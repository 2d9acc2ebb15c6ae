"""Webhooks: the outbox of deliveries, their attempts, and the secrets.

A delivery is a message with one alert, or with several where its endpoint takes them. It is a row
in the same database transaction as its alerts. So each alert is sent at least once to each endpoint
that existed then, or its delivery is visibly given up.
"""

from __future__ import annotations

import json
import random
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from analytics.alerts import queries, signing
from analytics.alerts.models import Alert, Delivery, DeliveryAttempt, WebhookEndpoint
from fido.lib.outbound import calls
from fido.lib.outbound.calls import Caller
from fido.lib.process import inserts
from fido.lib.values import clock
from fido.lib.values.metrics import WEBHOOK_ATTEMPTS

TRIED_FOR = timedelta(days=3)
FIRST_DELAY, LONGEST_DELAY, FACTOR = timedelta(seconds=5), timedelta(hours=6), 3
# Longer than a batch takes: a turn of the job, and then the last attempt: a name lookup, and a call
# with a deadline.
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


@dataclass(frozen=True)
class Message:
    """A delivery, its body, and the secrets that sign it."""

    delivery: Delivery
    body: str
    keys: Sequence[str]


# The results of a batch. Whose lease has lapsed is not found.
SETTLE = """\
UPDATE alerts_delivery AS mine
SET status = result.status, due_at = result.due_at, attempts = mine.attempts + 1,
    lease = NULL, leased_until = NULL
FROM unnest(%s::uuid[], %s::bigint[], %s::uuid[], %s::text[], %s::timestamptz[])
    AS result (id, user_id, lease, status, due_at)
WHERE mine.user_id = result.user_id AND mine.id = result.id AND mine.lease = result.lease
RETURNING mine.id, mine.status
"""


def enqueue(owners: dict[UUID, int], endpoints: dict[int, int]) -> None:
    """Add deliveries of these alerts to each endpoint to the outbox, in the caller's transaction.

    `owners` has the alerts' ids, and whose they are; `endpoints` how many each takes in a message.
    """
    of_users: dict[int, list[UUID]] = defaultdict(list)
    for alert_id, user_id in owners.items():
        of_users[user_id].append(alert_id)
    rows = [
        row
        for endpoint_id, most in endpoints.items()
        for user_id, alert_ids in of_users.items()
        for row in _new(user_id, endpoint_id, alert_ids, most)
    ]
    # bulk_create has a statement with all values one by one, as there is a column of arrays.
    inserts.copy(rows)


def _new(user_id: int, endpoint_id: int, alert_ids: list[UUID], most: int) -> Iterator[Delivery]:
    now = clock.now()
    for start in range(0, len(alert_ids), most):
        together = alert_ids[start : start + most]
        yield Delivery(
            user_id=user_id,
            alert_id=together[0],
            alert_ids=together if most > 1 else None,
            endpoint_id=endpoint_id,
            due_at=now,
            gives_up_at=now + TRIED_FOR,
        )


def claim(due: list[tuple[int, UUID]]) -> list[Delivery]:
    """Those of the deliveries, given by user and id, that are free: leased to the caller alone."""
    lease = uuid.uuid4()
    user_ids, ids = {user_id for user_id, _ in due}, [id_ for _, id_ in due]
    rows = Delivery.objects.filter(user_id__in=user_ids, id__in=ids)
    if not rows.filter(queries.is_due()).update(lease=lease, leased_until=Now() + LEASE):
        return []
    return list(rows.filter(lease=lease).order_by("due_at", "id"))


def messages(batch: list[Delivery], endpoint: WebhookEndpoint) -> list[Message]:
    """What is to be sent for each of these deliveries to the endpoint."""
    user_ids = {each.user_id for each in batch}
    ids = [id_ for each in batch for id_ in each.all_alert_ids]
    alerts = Alert.objects.filter(user_id__in=user_ids).in_bulk(ids)
    keys = [key for key in (endpoint.secret, endpoint.previous_secret) if key]
    return [Message(each, body(each, alerts), keys) for each in batch]


def attempt(message: Message, caller: Caller) -> Outcome:
    """Send it, outside any database transaction, which would stay open meanwhile."""
    started = time.monotonic()
    status, error = None, ""
    try:
        status = _sent(message, caller)
    except calls.NotSent as refusal:
        error = refusal.code
    return Outcome(status, error, int((time.monotonic() - started) * 1000))


def conclude(results: list[tuple[Delivery, Outcome]]) -> int:
    """Record the results and the times of the next attempts; return how many.

    One whose lease has lapsed is left out: another worker has claimed it.
    """
    now = clock.now()
    with transaction.atomic():
        settled = _settled(results, now)
        DeliveryAttempt.objects.bulk_create(
            DeliveryAttempt(user_id=row.user_id, delivery_id=row.pk, at=now, **vars(outcome))
            for row, outcome in results
            if row.pk in settled
        )
    _count((row.endpoint_id, settled[row.pk]) for row, _ in results if row.pk in settled)
    return len(settled)


def release(batch: list[Delivery]) -> None:
    """Give up the leases of deliveries that were not attempted."""
    rows = Delivery.objects.filter(user_id__in={each.user_id for each in batch})
    mine = rows.filter(id__in=[each.pk for each in batch], lease__in={each.lease for each in batch})
    mine.update(lease=None, leased_until=None)


def _settled(results: list[tuple[Delivery, Outcome]], now: datetime) -> dict[UUID, str]:
    """The statuses that were recorded."""
    rows = [(row.pk, row.user_id, row.lease, *_next(row, outcome, now)) for row, outcome in results]
    with connection.cursor() as cursor:
        cursor.execute(SETTLE, [list(column) for column in zip(*rows, strict=True)])
        return dict(cursor.fetchall())


def _count(ends: Iterable[tuple[int, str]]) -> None:
    counts = Counter(ends)
    for endpoint_id in {endpoint_id for endpoint_id, _ in counts}:
        for status in Delivery.Status:
            # Also by zero: where a count begins with one, Prometheus sees no increase.
            counter = WEBHOOK_ATTEMPTS.labels(endpoint_id, status)
            counter.inc(counts[endpoint_id, status])


def _next(row: Delivery, outcome: Outcome, now: datetime) -> tuple[str, datetime]:
    """The delivery's status after this attempt, and when it is due."""
    if outcome.is_delivered:
        return Delivery.Status.DELIVERED, row.due_at
    due_at = now + delay(row.attempts)
    if due_at > row.gives_up_at:
        return Delivery.Status.FAILED, row.due_at
    return Delivery.Status.PENDING, due_at


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


def body(delivery: Delivery, alerts: dict[UUID, Alert]) -> str:
    """The request body, the same at each attempt. It contains no names."""
    together = [_data(alerts[id_]) for id_ in delivery.all_alert_ids]
    message: dict[str, Any] = {
        "type": "alert.raised",
        "timestamp": together[-1]["created_at"],
        "data": together[0],
    }
    if delivery.alert_ids:
        message |= {"type": "alerts.raised", "data": {"alerts": together}}
    return json.dumps(message, separators=(",", ":"))


def _data(alert: Alert) -> dict[str, Any]:
    return {
        "id": str(alert.pk),
        "code": alert.code,
        "user_id": alert.user_id,
        "transaction_id": str(alert.transaction_id),
        "time": clock.text(alert.time),
        "created_at": clock.text(alert.created_at),
    }


def _sent(message: Message, caller: Caller) -> int:
    if not message.keys:
        raise calls.NotSent("secret-unreadable")
    headers = signing.headers(str(message.delivery.pk), clock.now(), message.body, message.keys)
    headers |= {"Content-Type": "application/json", "User-Agent": "Fido"}
    return caller.post(message.body.encode(), headers)
