"""Celery jobs about alerts."""

import time
from typing import Any

from celery import shared_task

from analytics.alerts import deliveries, queries, turns
from fido.lib.cache import jobs

# Writes within this time are checked together.
CHECK_DELAY_SECONDS = 1
# How long one job continues before it lets others take their turn.
TURN_SECONDS = 20
CHECKS = jobs.Places(2)
# Few, because receivers may be slow.
SENDING = jobs.Places(2)


@shared_task(name="alerts.check")
def check(user_id: int | None = None, **kwargs: Any) -> None:
    """Check for everybody. `user_id` comes only from earlier releases, which queued it for one."""
    jobs.begun(check)
    _check()


@shared_task(name="alerts.sweep_checks")
def sweep_checks(**kwargs: Any) -> None:
    """Check what no job took: the queue was away, or a worker died."""
    _check()


def _check() -> None:
    with CHECKS.one() as is_free:
        if not is_free or turns.check_everybody(seconds=TURN_SECONDS):
            request_check()


@shared_task(name="alerts.deliver")
def deliver(user_id: int, **kwargs: Any) -> None:
    """Attempt a user's due deliveries."""
    jobs.begun(deliver, user_id)
    with SENDING.one() as is_free:
        if is_free:
            _deliver(user_id)  # otherwise the sweep queues it again


def _deliver(user_id: int) -> None:
    ends = time.monotonic() + TURN_SECONDS
    while deliveries.deliver_one(user_id):
        if time.monotonic() > ends:
            request_delivery(user_id)
            return


@shared_task(name="alerts.sweep_deliveries")
def sweep_deliveries(**kwargs: Any) -> None:
    """Queue the deliveries that are due: a retry, or no job took them."""
    for user_id in queries.users_with_due_deliveries():
        request_delivery(user_id)


def request_check() -> None:
    """Queue the job, unless one is pending. Never raises: the sweep catches up."""
    jobs.request(check, countdown=CHECK_DELAY_SECONDS)


def request_delivery(user_id: int) -> None:
    """Queue the job, unless one is pending. Never raises: the sweep catches up."""
    jobs.request(deliver, user_id, countdown=0)
