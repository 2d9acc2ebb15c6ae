"""The demonstration's alerts: rules for the currencies that its people live in, and a webhook.

The contract's rules stay as they are, in the default currency. In another one there are none until
staff add some, as these do: with thresholds that a person would choose for such lives.
"""

from datetime import datetime

from accounts.models import User
from analytics.alerts import operations
from analytics.alerts.models import Delivery, DeliveryAttempt, Rule, WebhookEndpoint
from fido.lib.values.ids import new_id

RULES = (
    (1100, "large-withdrawal", "EUR", {"amount": "2500"}),
    (1100, "large-withdrawal", "GBP", {"amount": "1500"}),
    (600, "velocity", "EUR", {"count": 5, "seconds": 600, "type": "withdrawal"}),
    (600, "velocity", "GBP", {"count": 5, "seconds": 600, "type": "withdrawal"}),
    (123, "deposits-in-window", "EUR", {"amount": "3500", "seconds": 60}),
)


def add_rules() -> None:
    Rule.objects.bulk_create(
        Rule(code=code, kind=kind, currency=currency, parameters=parameters, position=200 + place)
        for place, (code, kind, currency, parameters) in enumerate(RULES)
    )


def add_endpoint() -> WebhookEndpoint:
    """Call it before `check`, and `answer` afterwards."""
    return WebhookEndpoint.objects.create(
        url="https://cases.example.org/fido", description="Case management (demonstration)"
    )


def check(users: list[User]) -> None:
    """Check all their transactions at once, so that nobody waits for the worker."""
    for user in users:
        while operations.check_some(user.pk).more:
            pass


def answer(endpoint: WebhookEndpoint, now: datetime) -> None:
    """Act as if the endpoint had taken every message but the last, and switch it off: there is
    nobody at its address.
    """
    endpoint.enabled = False
    endpoint.save(update_fields=["enabled"])
    rows = list(Delivery.objects.filter(endpoint=endpoint).order_by("alert__time", "id"))
    for row in rows:
        row.status, row.attempts = Delivery.Status.DELIVERED, 1
    if rows:
        rows[-1].status = Delivery.Status.FAILED
    Delivery.objects.bulk_update(rows, ["status", "attempts"])
    DeliveryAttempt.objects.bulk_create(
        DeliveryAttempt(
            id=new_id(),
            user_id=row.user_id,
            delivery=row,
            at=now,
            status=503 if row.status == Delivery.Status.FAILED else 200,
            milliseconds=48,
        )
        for row in rows
    )
