"""Backtests: what a rule would have raised over the past, and what it has raised."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date
from itertools import chain

from django.db.models import Count
from django.db.models.functions import TruncDate

from accounts.queries import user_ids_in_batches
from analytics.alerts import queries
from analytics.alerts.models import Alert
from analytics.alerts.queries import Past
from analytics.alerts.rules import Event, Kind
from fido.lib.values.clock import Period


@dataclass(frozen=True)
class Question:
    """A rule's id, the kind and the currency to try it with, and the transactions' period."""

    rule_id: int
    kind: Kind
    currency: str
    period: Period


@dataclass
class Counts:
    """The alerts of one day, by their transactions' times."""

    would: int = 0
    was: int = 0


@dataclass
class Result:
    """`whole`: no user was skipped for lack of time."""

    days: dict[date, Counts] = field(default_factory=lambda: defaultdict(Counts))
    users: int = 0
    whole: bool = True

    @property
    def would(self) -> int:
        return sum(counts.would for counts in self.days.values())

    @property
    def was(self) -> int:
        return sum(counts.was for counts in self.days.values())


def _unheard(users: int) -> None:
    pass


def run(
    question: Question,
    user_ids: Iterable[int],
    *,
    advance: Callable[[int], None] = _unheard,
    must_stop: Callable[[], bool] = lambda: False,
) -> Result:
    """Backtest one user after another. Each stream is read once, in pages, in constant memory.

    The same code decides as for a new event. So if neither transactions nor the rule have changed
    since, both counts are the same.
    """
    result = Result()
    for user_id in user_ids:
        if must_stop():
            result.whole = False
            break
        for event in would_raise(question, user_id):
            result.days[event.at.astimezone(UTC).date()].would += 1
        for day, count in _were_raised(question, user_id):
            result.days[day].was += count
        result.users += 1
        advance(1)
    return result


def would_raise(question: Question, user_id: int) -> Iterator[Event]:
    """The events of the period that raise the rule, given the user's current stream."""
    period, rows = question.period, queries.stream(user_id, question.currency)
    stream = queries.pages(rows.within(period))
    first = next(stream, None)
    if first is None:
        return
    watch = question.kind.watch()
    for event in Past(user_id, question.currency, first.at, first.id).needed(question.kind.needs):
        watch(event)
    yield from (event for event in chain([first], stream) if watch(event))


def everybody() -> Iterator[int]:
    """The ids of all users, in order."""
    return chain.from_iterable(user_ids_in_batches())


def _were_raised(question: Question, user_id: int) -> Iterator[tuple[date, int]]:
    rows = Alert.objects.filter(user_id=user_id, rule_id=question.rule_id)
    if question.period.start:
        rows = rows.filter(time__gte=question.period.start)
    if question.period.end:
        rows = rows.filter(time__lt=question.period.end)
    by_day = rows.annotate(day=TruncDate("time", tzinfo=UTC)).values("day")
    yield from by_day.annotate(n=Count("id")).values_list("day", "n")
