"""Sends what is due to all endpoints at once, for a while."""

from __future__ import annotations

import logging
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from django.db import connections

from analytics.alerts import deliveries, queries
from analytics.alerts.queries import Lane

logger = logging.getLogger(__name__)

# Each has a connection to PostgreSQL while it sends.
SENDERS = 8
# A lane is looked for that often while others are busy: a receiver may keep one for ten seconds.
LOOK_SECONDS = 1


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
    """Send a lane's due deliveries one after another, until then; return how many."""
    sent = 0
    while time.monotonic() < ends and deliveries.deliver_next(lane):
        sent += 1
    return sent
