"""Celery jobs about alerts."""

from typing import Any

from celery import shared_task

from analytics.alerts import sending, turns
from fido.lib.cache import jobs

# Writes within this time are checked together.
CHECK_DELAY_SECONDS = 1
# How long one job continues before it lets others take their turn.
TURN_SECONDS = 20
# When a job for webhooks that another one is sending looks again.
SEND_DELAY_SECONDS = 1
CHECKS = jobs.Places(2)
# It has threads of its own for each receiver.
SENDING = jobs.Places(1)


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
def deliver(user_id: int | None = None, **kwargs: Any) -> None:
    """Send what is due. `user_id` comes only from earlier releases, which queued it for one."""
    jobs.begun(deliver)
    _deliver()


@shared_task(name="alerts.sweep_deliveries")
def sweep_deliveries(**kwargs: Any) -> None:
    """Send what no job took: a retry is due, the queue was away, or a worker died."""
    _deliver()


def _deliver() -> None:
    with SENDING.one() as is_free:
        if not is_free or sending.send_due(seconds=TURN_SECONDS):
            request_delivery(countdown=SEND_DELAY_SECONDS)


def request_check() -> None:
    """Queue the job, unless one is pending. Never raises: the sweep catches up."""
    jobs.request(check, countdown=CHECK_DELAY_SECONDS)


def request_delivery(*, countdown: int = 0) -> None:
    """Queue the job, unless one is pending. Never raises: the sweep catches up."""
    jobs.request(deliver, countdown=countdown)
