"""Streams of events, their codes according to the contract, and alerts in the database."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from typing import Any

from django.apps import apps

from accounts.models import User
from analytics.alerts import operations
from analytics.alerts.models import Alert, Rule
from analytics.alerts.rules import Event
from fido.lib.values.ids import new_id
from tests.factories import record
from transactions.models import Transaction

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def stream(text: str) -> list[Event]:
    """Parse events such as `+67.15@0 -10@30`: a deposit or a withdrawal, at a second."""
    return [_event(word) for word in text.split()]


def _event(word: str) -> Event:
    amount, _, second = word.partition("@")
    at = START + timedelta(seconds=float(second or 0))
    return Event(new_id(), at, Decimal(amount[1:]), amount.startswith("+"))


def naive(events: list[Event]) -> list[int]:
    """The contract's table, implemented literally over the whole stream."""
    this, deposits = events[-1], [event for event in events if event.is_deposit]
    last3, last3_deposits = events[-3:], deposits[-3:]
    window = [d.amount for d in deposits if this.at - d.at <= timedelta(seconds=30)]
    says = {
        1100: not this.is_deposit and this.amount > 100,
        30: len(last3) == 3 and not any(event.is_deposit for event in last3),
        300: len(last3_deposits) == 3
        and last3_deposits[0].amount < last3_deposits[1].amount < last3_deposits[2].amount,
        123: sum(window) > 200,
    }
    return [code for code, said in says.items() if said]


def random_stream(seed: int) -> list[Event]:
    """Up to 9 events whose amounts and pauses are close to the limits."""
    chance = random.Random(seed)
    at, events = START, []
    for _ in range(chance.randint(1, 9)):
        at += timedelta(seconds=chance.choice([0, 0, 1, 5, 10, 15, 29, 30, 31, 100]))
        cents = chance.choice([1, 5000, 6615, 6670, 6715, 9999, 10000, 10001, 20000, 20001])
        cents += chance.choice([0, 0, -1, 1])
        amount = Decimal(max(cents, 1)).scaleb(-2)
        events.append(Event(new_id(), at, amount, chance.random() < 0.55))
    return events


def add_default_rules() -> None:
    """Add the migration's rules, unless they exist."""
    if not Rule.objects.exists():
        import_module("analytics.alerts.migrations.0002_default_rules").add(apps, None)


def recorded(owner: User, event: Event, currency: str = "USD") -> Transaction:
    """Record the event as a transaction, by the operation that the API calls."""
    return record(
        owner,
        transaction_date=event.at,
        transaction_amount=event.amount,
        transaction_type="credit" if event.is_deposit else "debit",
        currency=currency,
    )


def check_all(user: User) -> None:
    """Do what the background job does, for one user."""
    left = operations.check_few([user.pk])
    while left.more or left.busy:
        operations.check_some(user.pk)
        left = operations.check_few([user.pk])


def alerts_of(user: User) -> dict[str, list[int]]:
    """The codes of each transaction that has any, in the order of the rules."""
    found: dict[str, list[int]] = {}
    for alert in Alert.objects.filter(user_id=user.pk).order_by("rule__position"):
        found.setdefault(str(alert.transaction_id), []).append(alert.code)
    return found


def naively(user: User, currency: str = "USD") -> dict[str, list[int]]:
    """The same according to the contract, over all existing transactions."""
    rows = Transaction.objects.filter(user_id=user.pk, currency=currency)
    ordered = rows.order_by("transaction_date", "id")
    events = [
        Event(
            row.pk, row.transaction_date, row.transaction_amount, row.transaction_type == "credit"
        )
        for row in ordered
    ]
    said = {str(e.id): naive(events[:n]) for n, e in enumerate(events, start=1)}
    return {id_: codes for id_, codes in said.items() if codes}


def body(event: Any, **fields: Any) -> dict[str, Any]:
    return {
        "transaction_amount": str(event.amount),
        "transaction_type": "credit" if event.is_deposit else "debit",
        "transaction_date": event.at.isoformat(),
        **fields,
    }


def codes(user: User) -> list[int]:
    return sorted(Alert.objects.filter(user_id=user.pk).values_list("code", flat=True))
