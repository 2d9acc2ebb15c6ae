"""What came before many transactions at once, in one or two statements."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from analytics.alerts import queries
from analytics.alerts.queries import Active, Past, Recorded, Rules, since, size_of_first_page
from analytics.alerts.rules import Event, Needs
from fido.lib.process.prepared import repeated

# In both, LATERAL reads each by index, as if asked for alone.
NEWEST_OF_EACH = """\
SELECT this.place, past.*
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::uuid[], %s::int[])
    WITH ORDINALITY AS this (user_id, currency, at, id, most, place)
CROSS JOIN LATERAL (
    SELECT id, transaction_date, transaction_amount, transaction_type = 'credit'
    FROM transactions_transaction
    WHERE user_id = this.user_id AND currency = this.currency
        AND (transaction_date, id) < (this.at, this.id)
    ORDER BY transaction_date DESC, id DESC
    LIMIT this.most
) AS past
ORDER BY this.place, transaction_date DESC, id DESC
"""
PAGES = """\
SELECT {number} AS number, this.place, past.*
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::uuid[], %s::timestamptz[])
    WITH ORDINALITY AS this (user_id, currency, at, id, since, place)
CROSS JOIN LATERAL (
    SELECT id, transaction_date, transaction_amount, transaction_type = 'credit'
    FROM transactions_transaction
    WHERE user_id = this.user_id AND currency = this.currency {of_type}
        AND (transaction_date, id) < (this.at, this.id) AND transaction_date >= this.since
    ORDER BY transaction_date DESC, id DESC
    LIMIT %s
) AS past
"""
OF_TYPE = {
    None: "",
    True: "AND transaction_type = 'credit'",
    False: "AND transaction_type = 'debit'",
}
IN_ORDER = "ORDER BY number, place, transaction_date DESC, id DESC"

# Whose, and in which currency.
Stream = tuple[int, str]
# By stream and position.
Groups = dict[tuple[int, str, datetime, UUID], list[Past]]


def pasts(rows: list[Recorded], rules: Rules) -> list[Past]:
    """What came before each of these transactions, of any users.

    What the rules need of it has been read, except where that is unusually much.
    """
    wanted = {currency: _wanted(of_currency) for currency, of_currency in rules.items()}
    asked = [row for row in rows if wanted.get(row.currency)]
    found = _with_newest(asked)
    lacking: dict[Needs, list[Past]] = defaultdict(list)
    for row in asked:
        past = found[row.event.id]
        for needs in wanted[row.currency]:
            if not past.is_known(needs):
                lacking[needs].append(past)
    if lacking:
        _read_on(lacking)
    return [found.get(row.event.id) or _past(row) for row in rows]


def _wanted(rules: list[Active]) -> list[Needs]:
    """What several rules need alike is there once."""
    return [needs for needs in dict.fromkeys(rule.needs for rule in rules) if needs.last != 0]


def _past(row: Recorded) -> Past:
    return Past(row.user_id, row.currency, row.event.at, row.event.id)


def _with_newest(rows: list[Recorded]) -> dict[UUID, Past]:
    """By the transaction's id. Of each stream one page is read, before the last of the rows."""
    streams: dict[Stream, list[Event]] = defaultdict(list)
    for row in rows:
        streams[row.user_id, row.currency].append(row.event)
    for events in streams.values():
        events.sort(key=_place, reverse=True)
    found: dict[UUID, Past] = {}
    for (stream, events), page in zip(streams.items(), _newest(streams), strict=True):
        whole, start = len(page) < _size(events), 0
        for event in events:
            while start < len(page) and _place(page[start]) >= _place(event):
                start += 1
            found[event.id] = Past(*stream, event.at, event.id)
            found[event.id].begin(page[start:], whole=whole)
    return found


def _newest(streams: dict[Stream, list[Event]]) -> list[list[Event]]:
    """The page of each stream, the newest first."""
    pages: list[list[Event]] = [[] for _ in streams]
    if streams:
        places = [(*stream, *_place(events[0])) for stream, events in streams.items()]
        sizes = [_size(events) for events in streams.values()]
        with repeated() as cursor:
            cursor.execute(NEWEST_OF_EACH, [*_columns(places), sizes])
            for place, *event in cursor.fetchall():
                pages[place - 1].append(Event(*event))
    return pages


def _size(events: list[Event]) -> int:
    """Enough for the first of the events too, where no others are between them."""
    return queries.NEWEST + len(events) - 1


def _place(event: Event) -> tuple[datetime, UUID]:
    return event.at, event.id


def _read_on(lacking: dict[Needs, list[Past]]) -> None:
    """Read the first page of what each of them lacks. For those that end at one place, once."""
    together = [(needs, _by_end(some)) for needs, some in lacking.items()]
    pages: list[list[list[Event]]] = []
    for needs, groups in together:
        pages.append([[] for _ in groups])
        for page, group in zip(pages[-1], groups.values(), strict=True):
            for past in group:
                past.begun[needs] = page
    for number, place, *event in _first_pages(together):
        pages[number][place - 1].append(Event(*event))


def _by_end(some: list[Past]) -> Groups:
    groups: Groups = defaultdict(list)
    for past in some:
        groups[(*past.stream, *past.end)].append(past)
    return groups


def _first_pages(together: list[tuple[Needs, Groups]]) -> list[Any]:
    pages, parameters = [], list[Any]()
    for number, (needs, groups) in enumerate(together):
        # A wider span than some need does no harm.
        earliest = [min(past.at for past in group) for group in groups.values()]
        pages.append(PAGES.format(number=number, of_type=OF_TYPE[needs.deposits]))
        parameters += _columns(list(groups))
        parameters += [[since(needs, at) for at in earliest], size_of_first_page(needs)]
    with connection.cursor() as cursor:
        cursor.execute("UNION ALL ".join(pages) + IN_ORDER, parameters)
        found: list[Any] = cursor.fetchall()
    return found


def _columns(places: list[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*places, strict=True)]
