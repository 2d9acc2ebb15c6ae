"""What came before many transactions at once, in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from django.db import connection

from analytics.alerts.queries import Past, Recorded, Rules, size_of_first_page
from analytics.alerts.rules import Event, Needs

THESE = """\
WITH this AS MATERIALIZED (
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::uuid[])
        WITH ORDINALITY AS this (user_id, currency, at, id, place)
)
"""
# A page before each of some events. LATERAL reads each by index, as if asked for alone.
PAGES = """\
SELECT {number} AS number, this.place, past.*
FROM this
CROSS JOIN LATERAL (
    SELECT id, transaction_date, transaction_amount, transaction_type = 'credit'
    FROM transactions_transaction
    WHERE user_id = this.user_id AND currency = this.currency {of_type} {in_span}
        AND (transaction_date, id) < (this.at, this.id)
    ORDER BY transaction_date DESC, id DESC
    LIMIT %s
) AS past
WHERE this.currency = ANY(%s)
"""
OF_TYPE = {
    None: "",
    True: "AND transaction_type = 'credit'",
    False: "AND transaction_type = 'debit'",
}
# A span that begins before the first moment that there is bounds nothing.
IN_SPAN = "AND transaction_date >= this.at - least(%s, this.at - timestamptz '0001-01-01Z')"
IN_ORDER = "ORDER BY number, place, transaction_date DESC, id DESC"

# The currencies whose rules need it.
Wanted = dict[Needs, list[str]]


def pasts(rows: list[Recorded], rules: Rules) -> list[Past]:
    """What came before each of these transactions, of any users.

    One statement reads the first page of all that the rules need. Usually that is enough.
    """
    wanted = _wanted(rules)
    pages: list[dict[Needs, list[Event]]] = [
        {needs: [] for needs, currencies in wanted.items() if row.currency in currencies}
        for row in rows
    ]
    for needs, place, event in _events(rows, wanted):
        pages[place][needs].append(event)
    return [
        Past(row.user_id, row.currency, row.event.at, row.event.id, begun)
        for row, begun in zip(rows, pages, strict=True)
    ]


def _wanted(rules: Rules) -> Wanted:
    """What several rules need alike is there once."""
    wanted: Wanted = defaultdict(list)
    for currency, of_currency in rules.items():
        for needs in dict.fromkeys(rule.needs for rule in of_currency):
            if needs.last != 0:
                wanted[needs].append(currency)
    return wanted


def _events(rows: list[Recorded], wanted: Wanted) -> Iterator[tuple[Needs, int, Event]]:
    """For what, before which of the rows, and the event; the newest first."""
    if not rows or not wanted:
        return
    pages, parameters = [], _these(rows)
    for number, (needs, currencies) in enumerate(wanted.items()):
        in_span = "" if needs.span is None else IN_SPAN
        pages.append(PAGES.format(number=number, of_type=OF_TYPE[needs.deposits], in_span=in_span))
        parameters += [] if needs.span is None else [needs.span]
        parameters += [size_of_first_page(needs), currencies]
    of_number = list(wanted)
    with connection.cursor() as cursor:
        cursor.execute(THESE + "UNION ALL ".join(pages) + IN_ORDER, parameters)
        for number, place, *event in cursor.fetchall():
            yield of_number[number], place - 1, Event(*event)


def _these(rows: list[Recorded]) -> list[Any]:
    return [
        [row.user_id for row in rows],
        [row.currency for row in rows],
        [row.event.at for row in rows],
        [row.event.id for row in rows],
    ]
