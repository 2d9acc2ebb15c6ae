"""Queries about rules, the past events that they need, pending checks and due deliveries."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, IntegerField, Q, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan
from django.db.models.functions import Mod, Now

from accounts.models import User
from accounts.queries import user_ids_of
from analytics.alerts.models import (
    Alert,
    Delivery,
    DeliveryAttempt,
    PendingCheck,
    Rule,
    WebhookEndpoint,
)
from analytics.alerts.parameters import InvalidParameters
from analytics.alerts.rules import Event, Kind, Needs, Watch, parsed, raised
from fido.lib.values import clock
from fido.lib.values.clock import Period
from transactions.models import Transaction

logger = logging.getLogger(__name__)

COLUMNS = ("id", "transaction_date", "transaction_amount", "transaction_type")
ORDER = ("transaction_date", "id")
NEWEST_FIRST = ("-transaction_date", "-id")
# The page size for a past that ends once enough is known. An index serves each page, however long
# that past is.
PAGE = 200
# Where one statement reads the pasts of many events: first the newest of each, which tell most
# rules all they need, then a page for each need of the others. Whoever needs more reads on alone.
NEWEST, FIRST_PAGE = 6, 50
PAGE_OF_STREAM = 5_000
# How many deliveries to one endpoint are under way at once. One user's are in the same lane.
LANES = 4
DUE_AT_ONCE = 20


@dataclass(frozen=True)
class Active:
    """A rule in force: its row, its parsed kind, and what that needs."""

    row: Rule
    kind: Kind
    needs: Needs


# By currency, in the order in which answers list their codes.
Rules = dict[str, list[Active]]

# As one text, which tells whether any rule has changed; null if there are none.
ENABLED_RULES = """\
SELECT json_agg(json_build_array(id, code, kind, parameters, currency) ORDER BY position, id)::text
FROM alerts_rule WHERE enabled
"""


def active_rules() -> Rules:
    """The enabled rules; nobody may change what is returned.

    A rule whose stored parameters are invalid is logged as an error and skipped.
    """
    with connection.cursor() as cursor:
        cursor.execute(ENABLED_RULES)
        (text,) = cursor.fetchone()
    return rules_of(text)


def rules_of(text: str | None) -> Rules:
    """The rules that ENABLED_RULES has returned, which are parsed anew only once they differ."""
    rules, damaged = _parsed(text, settings.DEFAULT_CURRENCY)
    for rule_id in damaged:
        logger.error("Alert rule %s has invalid parameters, and is skipped.", rule_id)
    return rules


@lru_cache(maxsize=2)
def _parsed(text: str | None, default_currency: str) -> tuple[Rules, list[int]]:
    """The rules by currency, and the ids of those that are damaged.

    The default currency is an argument because it decides as the text does.
    """
    rules: Rules = defaultdict(list)
    damaged = []
    for id_, code, kind, parameters, currency in json.loads(text or "[]"):
        row = Rule(id=id_, code=code, kind=kind, parameters=parameters, currency=currency)
        try:
            rules[row.in_currency].append(_active(row))
        except InvalidParameters:
            damaged.append(id_)
    return dict(rules), damaged


def _active(row: Rule) -> Active:
    kind = parsed(row.kind, row.parameters)
    return Active(row, kind, kind.needs)


class Recorded(NamedTuple):
    """A transaction as rules see it: whose stream it is in, and its event there."""

    user_id: int
    currency: str
    event: Event


def recorded(row: Transaction) -> Recorded:
    return Recorded(row.user_id, row.currency, event_of(row))


def event_of(row: Transaction) -> Event:
    return Event(
        row.pk, row.transaction_date, row.transaction_amount, row.transaction_type == "credit"
    )


def raised_by(past: Past, this: Event, rules: Iterable[Active]) -> list[Active]:
    """The rules that this event raises, given its past."""
    return [rule for rule in rules if raised(rule.kind, [*past.needed(rule.needs), this])]


def watches(past: Past, rules: Iterable[Active]) -> list[tuple[Active, Watch]]:
    """A watch for each rule, already fed the past events that it needs."""
    begun = []
    for rule in rules:
        watch = rule.kind.watch()
        for event in past.needed(rule.needs):
            watch(event)
        begun.append((rule, watch))
    return begun


class EndOfKnown(Exception):
    """What was read already does not tell."""


class Past:
    """A user's events in a currency before a position in their order, as far back as needed.

    If several rules need the same events, they are read once.
    """

    def __init__(self, user_id: int, currency: str, at: datetime, id_: UUID) -> None:
        self.stream, self.at = (user_id, currency), at
        self._newest, self._whole = list[Event](), False
        # More is read from before this. What was read there already, by what it is for: a page.
        self.end = at, id_
        self.begun: dict[Needs, list[Event]] = {}
        self._read: dict[Needs, list[Event]] = {}

    def begin(self, newest: list[Event], *, whole: bool) -> None:
        """Start from these, which were read already; if `whole`, there are no others."""
        self._newest, self._whole = newest, whole
        if newest:
            self.end = newest[-1].at, newest[-1].id

    def needed(self, needs: Needs) -> list[Event]:
        """The events needed, newest last."""
        if needs not in self._read:
            self._read[needs] = self._needed(needs, self._newest_first(needs))
        return self._read[needs]

    def is_known(self, needs: Needs) -> bool:
        """Whether the newest alone tell what is needed."""
        try:
            self._read[needs] = self._needed(needs, self._known())
        except EndOfKnown:
            return False
        return True

    def _needed(self, needs: Needs, newest_first: Iterator[Event]) -> list[Event]:
        return list(needs.among(newest_first, self.at))[::-1]

    def _known(self) -> Iterator[Event]:
        yield from self._newest
        if not self._whole:
            raise EndOfKnown

    def _newest_first(self, needs: Needs) -> Iterator[Event]:
        """What may be needed, read by the page as it is asked for."""
        yield from self._newest
        if self._whole:
            return
        before = self.end
        if needs in self.begun:
            page = self.begun[needs]
            yield from page
            if len(page) < size_of_first_page(needs):
                return
            before = (page[-1].at, page[-1].id)
        yield from self._earlier(needs, before)

    def _earlier(self, needs: Needs, before: tuple[datetime, UUID]) -> Iterator[Event]:
        rows = self._that_may_count(needs)
        size = PAGE if needs.enough is not None or needs.last is None else needs.last
        while True:
            earlier = rows.filter(TupleLessThan([F(name) for name in ORDER], before))
            page = list(events(earlier[:size]))
            yield from page
            if len(page) < size:
                return
            before = (page[-1].at, page[-1].id)

    def _that_may_count(self, needs: Needs) -> Any:
        # `Needs.among` decides; this spares it what it would pass over.
        rows = stream(*self.stream).order_by(*NEWEST_FIRST)
        if needs.deposits is not None:
            rows = rows.filter(transaction_type="credit" if needs.deposits else "debit")
        if needs.span is not None:
            rows = rows.filter(transaction_date__gte=since(needs, self.at))
        return rows


def since(needs: Needs, at: datetime) -> datetime:
    """The earliest time that may count before an event at this one."""
    # A span that begins before the first moment that there is bounds nothing.
    if needs.span is None or needs.span >= at - clock.FIRST_MOMENT:
        return clock.FIRST_MOMENT
    return at - needs.span


def size_of_first_page(needs: Needs) -> int:
    """How many events to read at once for many, which almost always are enough."""
    return FIRST_PAGE if needs.last is None else min(needs.last, FIRST_PAGE)


def stream(user_id: int, currency: str) -> Any:
    """A user's transactions in a currency, in order, with the columns that rules use."""
    rows = Transaction.objects.filter(user_id=user_id, currency=currency)
    return rows.order_by(*ORDER).values_list(*COLUMNS)


def events(rows: Any) -> Iterator[Event]:
    """The events for rows of `stream`."""
    for id_, at, amount, type_ in rows:
        yield Event(id_, at, amount, type_ == "credit")


def after(rows: Any, at: datetime, id_: UUID) -> Any:
    """The rows of a stream after this position."""
    return rows.filter(TupleGreaterThan([F(name) for name in ORDER], (at, id_)))


def pages(rows: Any) -> Iterator[Event]:
    """All events of a stream, read in pages: in constant memory and without a long query."""
    page = list(events(rows[:PAGE_OF_STREAM]))
    while page:
        yield from page
        page = list(events(after(rows, page[-1].at, page[-1].id)[:PAGE_OF_STREAM]))


def pending_checks(user_id: int, most: int) -> list[PendingCheck]:
    return list(PendingCheck.objects.filter(user_id=user_id).order_by("id")[:most])


def marked_rows(mark: PendingCheck, most: int) -> list[Recorded]:
    """The transactions of a mark that still exist, at most `most`, in the stream's order."""
    rows = Transaction.objects.filter(user_id=mark.user_id, id__gte=mark.first, id__lte=mark.last)
    columns = rows.only("user_id", "currency", *COLUMNS).order_by("id")[:most]
    in_order = sorted(columns, key=lambda row: (row.transaction_date, row.pk))
    return [recorded(row) for row in in_order]


def is_marked(row: Transaction) -> bool:
    """Whether a check of the transaction is pending."""
    marks = PendingCheck.objects.filter(user_id=row.user_id, first__lte=row.pk, last__gte=row.pk)
    return marks.exists()


class Mark(NamedTuple):
    """What of a pending check tells whether it stands for few transactions, and for which."""

    user_id: int
    id: UUID
    first: UUID
    last: UUID
    after_currency: str


# Of each user the first marks that no round has begun, and one of a round if there is any.
FIRST_MARKS = """\
SELECT mark.*
FROM unnest(%(user_ids)s::bigint[]) AS turn (user_id)
CROSS JOIN LATERAL (
    (SELECT user_id, id, first, last, after_currency FROM alerts_pendingcheck
    WHERE user_id = turn.user_id AND after_currency = '' ORDER BY id LIMIT %(most)s)
    UNION ALL
    (SELECT user_id, id, first, last, after_currency FROM alerts_pendingcheck
    WHERE user_id = turn.user_id AND after_currency <> '' LIMIT 1)
) AS mark
"""


def first_marks(user_ids: list[int], most: int) -> dict[int, list[Mark]]:
    """By user, up to `most` marks without a position, and then one with a position, if any."""
    marks: dict[int, list[Mark]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(FIRST_MARKS, {"user_ids": user_ids, "most": most})
        for row in cursor.fetchall():
            marks[row[0]].append(Mark(*row))
    return marks


WITH_IDS = """\
SELECT user_id, currency, id, transaction_date, transaction_amount, transaction_type = 'credit'
FROM transactions_transaction
WHERE user_id = ANY(%s) AND id = ANY(%s) AND currency = ANY(%s)
ORDER BY transaction_date, id
"""


def recorded_with_ids(
    user_ids: list[int], ids: list[UUID], currencies: list[str]
) -> list[Recorded]:
    """Of these transactions those that are still there, in the stream's order."""
    if not currencies:
        return []
    with connection.cursor() as cursor:
        cursor.execute(WITH_IDS, [user_ids, ids, currencies])
        rows = cursor.fetchall()
    return [Recorded(user_id, currency, Event(*event)) for user_id, currency, *event in rows]


def users_with_pending_checks(at_once: int) -> Iterator[list[int]]:
    """Their ids in order, in batches."""
    return user_ids_of(PendingCheck.objects.all(), at_once)


def alerts(*, viewer: User, filters: dict[str, Any]) -> QuerySet[Alert]:
    """The viewer's own alerts, or for staff with the permission everybody's.

    `filters` holds a `period` of the transactions' times, and any of `user_id` and `code`.
    """
    rows = Alert.objects.all()
    if not viewer.may_for_others("alerts.view_alert"):
        rows = rows.filter(user_id=viewer.pk)
    period: Period = filters["period"]
    wanted = {
        "user_id": filters.get("user_id"),
        "code": filters.get("code"),
        "time__gte": period.start,
        "time__lt": period.end,
    }
    return rows.filter(**{name: value for name, value in wanted.items() if value is not None})


def is_due() -> Q:
    """Pending deliveries that are due, to enabled endpoints, and not leased by a worker."""
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=Now())
    return free & Q(
        status=Delivery.Status.PENDING,
        due_at__lte=Now(),
        endpoint__in=WebhookEndpoint.objects.filter(enabled=True),
    )


class Lane(NamedTuple):
    """What is sent one after another: an endpoint's deliveries of a part of the users."""

    endpoint_id: int
    number: int


def due_lanes() -> list[Lane]:
    """The lanes in which anything is due, without those of endpoints that pause."""
    pause = WebhookEndpoint.objects.filter(next_try_at__gt=Now())
    rows = _due_by_lane().exclude(endpoint__in=pause)
    return [Lane(*row) for row in rows.values_list("endpoint_id", "lane").distinct()]


def due_deliveries(lane: Lane, most: int = DUE_AT_ONCE) -> list[tuple[int, UUID]]:
    """User and id of some of its due deliveries, those that have been due longest first."""
    rows = _due_by_lane().filter(endpoint_id=lane.endpoint_id, lane=lane.number)
    return list(rows.order_by("due_at", "id").values_list("user_id", "id")[:most])


def _due_by_lane() -> Any:
    lane = Mod("user_id", LANES, output_field=IntegerField())
    return Delivery.objects.filter(is_due()).annotate(lane=lane)


def attempts_of(delivery: Delivery) -> QuerySet[DeliveryAttempt]:
    rows = DeliveryAttempt.objects.filter(user_id=delivery.user_id, delivery_id=delivery.pk)
    return rows.order_by("-id")
