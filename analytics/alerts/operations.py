"""All writes of alerts: by the event that raises them, or in the background."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection, transaction

from analytics.alerts import queries
from analytics.alerts.models import Alert, PendingCheck
from analytics.alerts.pasts import pasts
from analytics.alerts.queries import Active, Mark, Past, Recorded, Rules
from analytics.alerts.rules import Event, Watch
from analytics.alerts.signals import alerts_raised
from fido.lib.process.prepared import repeated
from fido.lib.values import clock
from fido.lib.values.ids import between, new_id

# The bounds of one database transaction: marks; transactions few enough to look up the past of each
# by index; otherwise time, which is looked at after each so many rows of the history. It is far
# below PostgreSQL's limit: on a slow machine the last rows take their time too, and so do the
# statements before the first ones.
MARKS, FEW, STEP_SECONDS, ROWS = 1_000, 100, 5.0, 1_000
# How many marks of many are looked at, because few of their transactions may be left.
PROBED = 10
INSERTED_AT_ONCE = 1_000
# Of many users in one database transaction: transactions in all, though of each at least one mark.
OF_ALL = 1_000

M = TypeVar("M", Mark, PendingCheck)
CHECK_LOCK = 0x46_69_64_71  # an arbitrary number that no other advisory lock uses
# A worker skips the users that another one is at: it would wait as long as a step takes. That is
# what the advisory lock is for (two users whose ids it cannot tell apart take turns). The row is a
# real write to the user's rows, and workers of earlier releases wait for it.
TAKE_TURNS = """\
INSERT INTO alerts_checkturn (id, user_id, taken_at)
SELECT id, user_id, %(now)s
FROM unnest(%(ids)s::uuid[], %(user_ids)s::bigint[]) AS asked (id, user_id)
WHERE pg_try_advisory_xact_lock(%(lock)s, (user_id %% 2147483648)::int)
ORDER BY user_id
ON CONFLICT (user_id) DO UPDATE SET taken_at = excluded.taken_at
RETURNING user_id
"""


@dataclass(frozen=True)
class Left:
    """The users with more to check, and those that another worker is at."""

    more: frozenset[int] = frozenset()
    busy: frozenset[int] = frozenset()


def check_few(user_ids: list[int]) -> Left:
    """Check some transactions of each of these users, by marks that stand for few; what is left.

    One database transaction stores their alerts and removes their marks, and only one worker does
    so for a user at a time. Despite any kill or retry, each is checked once.
    """
    with transaction.atomic():
        ours = _take_turns(user_ids)
        marks, more = _first_few(queries.first_marks(ours, FEW + 1))
        if marks:
            rules = queries.active_rules()
            _check_each(marks, _recorded(marks, list(rules)), rules)
    return Left(frozenset(more), frozenset(user_ids) - frozenset(ours))


def check_some(user_id: int, *, rows_at_once: int | None = None) -> Left:
    """Check some of a user's transactions, however many each mark stands for; what is left.

    It keeps the same promises as `check_few`. It ends by the clock, or after `rows_at_once`, by
    default ROWS, if these take longer.
    """
    pace = Pace(rows_at_once or ROWS, time.monotonic() + STEP_SECONDS)
    with transaction.atomic():
        if not _take_turns([user_id]):
            return Left(busy=frozenset([user_id]))
        marks = queries.pending_checks(user_id, MARKS)
        if not marks:
            return Left()
        rules = queries.active_rules()
        few, rows = _few(marks, list(rules))
        if few:
            _check_each(few, rows, rules)
        else:
            _check_step(user_id, marks, rules, pace)
    return Left(more=frozenset([user_id]))


def _take_turns(user_ids: list[int]) -> list[int]:
    """Those of the users that no other worker is at; none can be before this transaction ends."""
    ids = [new_id() for _ in user_ids]
    asked: dict[str, Any] = {
        "ids": ids,
        "user_ids": user_ids,
        "now": clock.now(),
        "lock": CHECK_LOCK,
    }
    with connection.cursor() as cursor:
        cursor.execute(TAKE_TURNS, asked)
        return [user_id for (user_id,) in cursor.fetchall()]


def _first_few(marks: dict[int, list[Mark]]) -> tuple[list[Mark], list[int]]:
    """A fair share of each user's marks, and who has more than that."""
    share = min(FEW, OF_ALL // max(1, len(marks)))
    few, more = list[Mark](), list[int]()
    for user_id, of_user in marks.items():
        first = _share(of_user, share)
        few += first
        if len(first) < len(of_user):
            more.append(user_id)
    return few, more


def _share(marks: Sequence[M], share: int) -> list[M]:
    """Marks that stand for few ids each, until they are `share` together; at least one if any."""
    few, ids_in_all = list[M](), 0
    for each in marks:
        count = len(between(each.first, each.last))
        if count <= FEW and not each.after_currency and (not few or ids_in_all < share):
            few.append(each)
            ids_in_all += count
    return few


def _recorded(marks: Sequence[M], currencies: list[str]) -> list[Recorded]:
    """The transactions that they stand for, in these currencies."""
    ids = [id_ for each in marks for id_ in _ids_of(each)]
    return queries.recorded_with_ids(sorted({each.user_id for each in marks}), ids, currencies)


def _ids_of(mark: Mark | PendingCheck) -> Iterable[UUID]:
    if mark.first == mark.last:
        return (mark.first,)
    return (UUID(int=number) for number in between(mark.first, mark.last))


def _few(
    marks: list[PendingCheck], currencies: list[str]
) -> tuple[list[PendingCheck], list[Recorded]]:
    """Marks that stand for few transactions each, a limited number of them, and these."""
    if few := _share(marks, FEW):
        return few, _recorded(few, currencies)
    # Of many ids few may have a transaction.
    rows_in_all = list[Recorded]()
    # Those of a round turned out to stand for many.
    for each in [mark for mark in marks if not mark.after_currency][:PROBED]:
        if len(rows_in_all) > FEW:
            break
        rows = queries.marked_rows(each, FEW + 1)
        if len(rows) <= FEW:
            few.append(each)
            rows_in_all += rows
    return few, rows_in_all


def _check_each(marks: Sequence[Mark | PendingCheck], rows: list[Recorded], rules: Rules) -> None:
    alerts = alerts_of(rows, rules)
    _delete(marks)
    store(alerts)


class NewAlert(NamedTuple):
    """What of an alert is known before it is stored, in the order of STORE."""

    id: UUID
    user_id: int
    rule_id: int
    code: int
    transaction_id: UUID
    time: datetime


def alerts_of(rows: list[Recorded], rules: Rules) -> list[NewAlert]:
    """The alerts that transactions of any users raise, against these users' streams as of now."""
    rows = list({row.event.id: row for row in rows}.values())  # two marks may stand for one
    return [
        _alert(row.user_id, rule, row.event)
        for row, past in zip(rows, pasts(rows, rules), strict=True)
        for rule in queries.raised_by(past, row.event, rules.get(row.currency, []))
    ]


def _alert(user_id: int, rule: Active, this: Event) -> NewAlert:
    return NewAlert(new_id(), user_id, rule.row.pk, rule.row.code, this.id, this.at)


@dataclass(frozen=True)
class Place:
    """The position of a round over the history: the currency, and the last row checked."""

    currency: str
    at: datetime | None = None
    id: UUID | None = None


@dataclass(frozen=True)
class Pace:
    """How a step goes on: so many rows at once, until its time is over."""

    rows: int
    ends: float

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.ends


def _check_step(user_id: int, marks: list[PendingCheck], rules: Rules, pace: Pace) -> None:
    """Continue a round over the history, in order, for all marks that have come equally far.

    Transactions marked meanwhile wait for the next round. So an import of any length takes only as
    many rounds as checking was behind, instead of one for each of its batches.
    """
    first = next((each for each in marks if each.after_currency), marks[0])
    # A mark that an earlier step did not load, because there were too many, continues by itself.
    marks = [each for each in marks if _come_to(each) == _come_to(first)]
    place = _place(marks[0], sorted(rules))
    while place is not None:
        place = _checked(user_id, marks, rules, place, pace)
        if pace.is_over:
            break
    if place is None:
        _delete(marks)
    else:
        of_round = PendingCheck.objects.filter(user_id=user_id, id__in=[each.pk for each in marks])
        of_round.update(after_currency=place.currency, after_date=place.at, after_id=place.id)


def _come_to(mark: PendingCheck) -> tuple[str, datetime | None, UUID | None]:
    return mark.after_currency, mark.after_date, mark.after_id


def _place(mark: PendingCheck, currencies: list[str]) -> Place | None:
    if not mark.after_currency:
        return Place(currencies[0]) if currencies else None
    if mark.after_currency in currencies:
        return Place(mark.after_currency, mark.after_date, mark.after_id)
    return _next_currency(mark.after_currency, currencies)  # its last rule was switched off


def _next_currency(currency: str, currencies: list[str]) -> Place | None:
    place = bisect_right(currencies, currency)
    return Place(currencies[place]) if place < len(currencies) else None


def _checked(
    user_id: int, marks: list[PendingCheck], rules: Rules, place: Place, pace: Pace
) -> Place | None:
    """Store the alerts of the rows after the position, until time is over; the next position."""
    marked, watches = Ranges(marks), None
    while True:
        page = _page(user_id, marks, place, pace.rows)
        if page and watches is None:
            past = Past(user_id, place.currency, page[0].at, page[0].id)
            watches = queries.watches(past, rules[place.currency])
        store(_raised(user_id, page, watches or [], marked))
        if len(page) < pace.rows:
            return _next_currency(place.currency, sorted(rules))
        place = Place(place.currency, page[-1].at, page[-1].id)
        if pace.is_over:
            return place


def _page(user_id: int, marks: list[PendingCheck], place: Place, most: int) -> list[Event]:
    rows = queries.stream(user_id, place.currency).filter(
        transaction_date__gte=min(each.since for each in marks),
        transaction_date__lte=max(each.until for each in marks),
    )
    if place.at and place.id:
        rows = queries.after(rows, place.at, place.id)
    return list(queries.events(rows[:most]))


def _raised(
    user_id: int, page: list[Event], watches: list[tuple[Active, Watch]], marked: Ranges
) -> list[NewAlert]:
    """The alerts of the marked events."""
    alerts: list[NewAlert] = []
    for event in page:
        raised = [rule for rule, watch in watches if watch(event)]
        if raised and event.id in marked:
            alerts += (_alert(user_id, rule, event) for rule in raised)
    return alerts


class Ranges:
    """The ids that some marks stand for."""

    def __init__(self, marks: Iterable[PendingCheck]) -> None:
        ends = sorted((each.first, each.last) for each in marks)
        self._firsts = [first for first, _ in ends]
        self._lasts = [last for _, last in ends]

    def __contains__(self, id_: UUID) -> bool:
        place = bisect_right(self._firsts, id_) - 1
        return place >= 0 and id_ <= self._lasts[place]


DELETE = "DELETE FROM alerts_pendingcheck WHERE user_id = ANY(%s) AND id = ANY(%s)"
STORE = """\
INSERT INTO alerts_alert (id, user_id, rule_id, code, transaction_id, time, created_at)
SELECT new.*, %s FROM unnest(
    %s::uuid[], %s::bigint[], %s::bigint[], %s::smallint[], %s::uuid[], %s::timestamptz[]
) AS new
ON CONFLICT DO NOTHING
RETURNING id,
    ARRAY(SELECT ARRAY[id, max_alerts] FROM alerts_webhookendpoint WHERE enabled ORDER BY id)
"""


def _delete(marks: Iterable[Mark | PendingCheck]) -> None:
    whose = {each.id: each.user_id for each in marks}
    with connection.cursor() as cursor:
        cursor.execute(DELETE, [sorted(set(whose.values())), list(whose)])


def store(alerts: list[NewAlert]) -> None:
    """Store the alerts that are not stored yet, and send the signal for them."""
    for start in range(0, len(alerts), INSERTED_AT_ONCE):
        _store(alerts[start : start + INSERTED_AT_ONCE])


def _store(alerts: list[NewAlert]) -> None:
    columns = [list(column) for column in zip(*alerts, strict=True)]
    with repeated() as cursor:
        cursor.execute(STORE, [clock.now(), *columns])
        stored = cursor.fetchall()
    if stored:
        new = {id_ for id_, _ in stored}
        alerts_raised.send(
            sender=Alert,
            alerts=[alert for alert in alerts if alert.id in new],
            endpoints=dict(stored[0][1]),
        )
