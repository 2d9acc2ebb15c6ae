"""Judges alerts: each that must be raised is stored once, and reaches the receiver under one id."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from analytics.alerts.rules import Event
from tests.alerts import naive

LARGE_WITHDRAWAL, LIMIT = 1100, Decimal(100)
# Events are a second or more apart, so that no rule looks further back.
FAR_ENOUGH = 100


@dataclass(frozen=True)
class Alerts:
    """What is stored and what was received.

    Rules are judged over all `events`, by user and in order, and code 1100 over `others`, which
    were recorded by other routes. `told` are the codes in an event's answer.
    """

    events: Mapping[int, list[Event]]
    others: list[Event]
    stored: list[tuple[UUID, UUID, int]]  # alert, transaction, code
    received: list[tuple[str, str]]  # webhook-id, alert
    told: Mapping[UUID, list[int]] = field(default_factory=dict)


def violations(alerts: Alerts, is_due: Callable[[UUID], bool]) -> list[str]:
    """A sentence for each rule that was broken. `is_due` says for which transactions the background
    has had its time.
    """
    return [*_stored(alerts, is_due), *_delivered(alerts, is_due)]


def _stored(alerts: Alerts, is_due: Callable[[UUID], bool]) -> Iterator[str]:
    raised: dict[UUID, list[int]] = defaultdict(list)
    for _, transaction, code in alerts.stored:
        raised[transaction].append(code)
    for transaction, codes in raised.items():
        for code, count in Counter(codes).items():
            if count > 1:
                yield f"doubled: {count} alerts {code} of transaction {transaction}"
    for transaction, codes in expected_of_events(alerts.events):
        yield from _compared(transaction, codes, raised[transaction])
        if (told := alerts.told.get(transaction, codes)) != codes:
            yield f"told wrong: event {transaction} was told {told}, not {codes}"
    for event in alerts.others:
        codes = [LARGE_WITHDRAWAL] if not event.is_deposit and event.amount > LIMIT else []
        found = {LARGE_WITHDRAWAL} & set(raised[event.id])
        if is_due(event.id) or set(codes) < found:
            yield from _compared(event.id, codes, found)


def expected_of_events(events: Mapping[int, list[Event]]) -> Iterator[tuple[UUID, list[int]]]:
    for stream in events.values():
        for n, event in enumerate(stream, start=1):
            yield event.id, naive(stream[max(0, n - FAR_ENOUGH) : n])


def _compared(transaction: UUID, codes: Collection[int], found: Collection[int]) -> Iterator[str]:
    for code in set(codes) - set(found):
        yield f"lost: no alert {code} of transaction {transaction}"
    for code in set(found) - set(codes):
        yield f"without reason: an alert {code} of transaction {transaction}"


def _delivered(alerts: Alerts, is_due: Callable[[UUID], bool]) -> Iterator[str]:
    ids: dict[str, set[str]] = defaultdict(set)
    for webhook_id, alert in alerts.received:
        ids[alert].add(webhook_id)
    for alert_id, transaction, code in alerts.stored:
        if is_due(transaction) and not ids[str(alert_id)]:
            yield f"not delivered: alert {code} of transaction {transaction}"
    known = {str(alert_id) for alert_id, _, _ in alerts.stored}
    for alert, webhook_ids in ids.items():
        if len(webhook_ids) > 1:
            yield f"delivered under several ids: alert {alert}: {sorted(webhook_ids)}"
        if webhook_ids and alert not in known:
            yield f"delivered and not stored: alert {alert}"
