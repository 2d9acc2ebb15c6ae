"""Sends what is due to all endpoints at once, for a while."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.conf import settings
from django.db import connections

from analytics.alerts import deliveries, pauses, queries
from analytics.alerts.deliveries import Message, Outcome
from analytics.alerts.models import Delivery, WebhookEndpoint
from analytics.alerts.queries import Lane
from fido.lib.outbound.calls import Caller

logger = logging.getLogger(__name__)

# Each has a connection to PostgreSQL while it sends.
SENDERS = 8
# A lane is looked for that often while others are busy: a receiver may keep one for ten seconds.
LOOK_SECONDS = 1
# Then a lane gives its thread to one that has had fewer turns, and so it does after a failure.
SHARE_SECONDS = 2.0


def send_due(*, seconds: float) -> bool:
    """Send what is due, for about `seconds`; return whether there may be more."""
    ends = time.monotonic() + seconds
    busy: dict[Lane, Future[None]] = {}
    turns = Counter[Lane]()
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="webhooks") as pool:
        while time.monotonic() < ends:
            busy = {lane: sender for lane, sender in busy.items() if not sender.done()}
            due = queries.due_lanes()
            if not due and not busy:
                return False
            for lane in _next(due, busy, turns):
                turns[lane] += 1
                busy[lane] = pool.submit(_send, lane, ends)
            wait(busy.values(), timeout=LOOK_SECONDS, return_when=FIRST_COMPLETED)
    return True


def _next(due: list[Lane], busy: Collection[Lane], turns: Counter[Lane]) -> list[Lane]:
    """Those to begin with now, for whom there are threads: who has had the fewest turns.

    Without chance, the last of many lanes would have none in any job.
    """
    waiting = [lane for lane in due if lane not in busy]
    random.shuffle(waiting)
    return sorted(waiting, key=turns.__getitem__)[: SENDERS - len(busy)]


def _send(lane: Lane, ends: float) -> None:
    try:
        send_lane(lane, min(ends, time.monotonic() + SHARE_SECONDS))
    except Exception:
        # The others go on. What was claimed becomes due again when its lease lapses.
        logger.exception("Webhooks to endpoint %s were interrupted.", lane.endpoint_id)
    finally:
        connections.close_all()


def send_lane(lane: Lane, ends: float) -> int:
    """Send a lane's due deliveries one after another, until then; return how many.

    It ends when one fails, so that a receiver that lets us wait does not keep a thread from the
    others. After a pause of its endpoint it sends one.
    """
    sent, goes_on = 0, True
    endpoint = WebhookEndpoint.objects.get(pk=lane.endpoint_id)
    if not pauses.may_send(endpoint):
        return 0
    most = 1 if endpoint.next_try_at else queries.DUE_AT_ONCE
    with Caller(endpoint.url, allow_loopback=settings.WEBHOOK_ALLOW_LOOPBACK) as caller:
        while goes_on and time.monotonic() < ends:
            batch = deliveries.claim(queries.due_deliveries(lane, most))
            if not batch:
                break
            results = _attempted(deliveries.messages(batch, endpoint), caller, ends)
            deliveries.conclude(results)
            deliveries.release(batch[len(results) :])
            for is_delivered in dict.fromkeys(outcome.is_delivered for _, outcome in results):
                pauses.note(endpoint, is_delivered=is_delivered)
            goes_on = results[-1][1].is_delivered and endpoint.next_try_at is None
            sent += len(results)
    return sent


def _attempted(
    messages: list[Message], caller: Caller, ends: float
) -> list[tuple[Delivery, Outcome]]:
    """The results of the first of them: until one fails, or time is over."""
    results = list[tuple[Delivery, Outcome]]()
    for message in messages:
        outcome = deliveries.attempt(message, caller)
        results.append((message.delivery, outcome))
        if not outcome.is_delivered or time.monotonic() > ends:
            break
    return results
