"""Alerts to send, and the sending of them in this thread."""

from datetime import timedelta
from math import inf

from django.db.models import F

from accounts.models import User
from analytics.alerts import queries, sending
from analytics.alerts.models import Alert, Delivery, WebhookEndpoint
from tests.alerts import check_all, recorded, stream


def raise_alerts(user: User, count: int = 1) -> list[Alert]:
    """Raise that many alerts, by checking as many withdrawals."""
    for n in range(count):
        for event in stream(f"-101@{n} +1@{n}"):
            recorded(user, event)
    check_all(user)
    return list(Alert.objects.filter(user=user))


def deliver() -> int:
    """Do what the job does, in this thread; return how many attempts it made."""
    made = 0
    while lanes := queries.due_lanes():
        made += sum(sending.send_lane(lane, inf) for lane in lanes)
    return made


def make_due(user: User, hours: float = 0) -> None:
    """Make all pending retries due now, with that much of the retry window already over.

    Pauses of endpoints are over too.
    """
    WebhookEndpoint.objects.update(failures=0, next_try_at=None)
    Delivery.objects.filter(user=user, status="pending").update(
        due_at=F("created_at"), gives_up_at=F("gives_up_at") - timedelta(hours=hours)
    )


def statuses(user: User) -> list[str]:
    return list(Delivery.objects.filter(user=user).order_by("id").values_list("status", flat=True))
