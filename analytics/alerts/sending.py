"""Sends what is due to all endpoints at once, for a while."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.conf import settings
from django.db import connections

from analytics.alerts import deliveries, queries
from analytics.alerts.deliveries import Message, Outcome
from analytics.alerts.models import Delivery, WebhookEndpoint
from analytics.alerts.queries import Lane
from fido.lib.outbound.calls import Caller

logger = logging.getLogger(__name__)

# Each has a connection to PostgreSQL while it sends.
SENDERS = 8
# A lane is looked for that often while others are busy: a receiver may keep one for ten seconds.
LOOK_SECONDS = 1
SILENT_MILLISECONDS = 1_000


def send_due(*, seconds: float) -> bool:
    """Send what is due, for about `seconds`; return whether there may be more."""
    ends = time.monotonic() + seconds
    busy: dict[Lane, Future[None]] = {}
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="webhooks") as pool:
        while time.monotonic() < ends:
            busy = {lane: sender for lane, sender in busy.items() if not sender.done()}
            due = queries.due_lanes()
            if not due and not busy:
                return False
            busy |= {lane: pool.submit(_send, lane, ends) for lane in due if lane not in busy}
            wait(busy.values(), timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
    return True


def _send(lane: Lane, ends: float) -> None:
    try:
        send_lane(lane, ends)
    except Exception:
        # The others go on. What was claimed becomes due again when its lease lapses.
        logger.exception("Webhooks to endpoint %s were interrupted.", lane.endpoint_id)
    finally:
        connections.close_all()


def send_lane(lane: Lane, ends: float) -> int:
    """Send a lane's due deliveries one after another, until then; return how many.

    It ends when the receiver is silent, so that one does not keep a thread from the others.
    """
    sent, answers = 0, True
    endpoint = WebhookEndpoint.objects.get(pk=lane.endpoint_id)
    with Caller(endpoint.url, allow_loopback=settings.WEBHOOK_ALLOW_LOOPBACK) as caller:
        while answers and time.monotonic() < ends:
            batch = deliveries.claim(queries.due_deliveries(lane))
            if not batch:
                break
            results = _attempted(deliveries.messages(batch, endpoint), caller, ends)
            deliveries.conclude(results)
            deliveries.release(batch[len(results) :])
            answers = not _is_silent(results[-1][1])
            sent += len(results)
    return sent


def _attempted(
    messages: list[Message], caller: Caller, ends: float
) -> list[tuple[Delivery, Outcome]]:
    """The results of the first of them: until the receiver is silent, or time is over."""
    results = list[tuple[Delivery, Outcome]]()
    for message in messages:
        outcome = deliveries.attempt(message, caller)
        results.append((message.delivery, outcome))
        if _is_silent(outcome) or time.monotonic() > ends:
            break
    return results


def _is_silent(outcome: Outcome) -> bool:
    """Whether the receiver let us wait in vain; one that refuses at once keeps nobody back."""
    return outcome.status is None and outcome.milliseconds >= SILENT_MILLISECONDS
