"""What came before many transactions at once, in one statement."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.db import connection

from analytics.alerts.queries import Active, Past, since, size_of_first_page
from analytics.alerts.rules import Event, Needs
from transactions.models import Transaction

# A page before each of some transactions. LATERAL reads each by index, as if asked for alone.
PAGES = """\
SELECT {number} AS number, this.id AS before, past.*
FROM unnest(%s::bigint[], %s::text[], %s::timestamptz[], %s::uuid[], %s::timestamptz[])
    AS this (user_id, currency, at, id, since)
CROSS JOIN LATERAL (
    SELECT id, transaction_date, transaction_amount, transaction_type
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
IN_ORDER = "ORDER BY number, before, transaction_date DESC, id DESC"

Wanted = dict[Needs, list[Transaction]]


def pasts(rows: list[Transaction], rules: dict[str, list[Active]]) -> dict[UUID, Past]:
    """What came before each of these transactions, of any users, by the transaction's id.

    One statement reads the first page of all that the rules need. Usually that is enough.
    """
    wanted = _wanted(rows, rules)
    pages: dict[UUID, dict[Needs, list[Event]]] = {row.pk: {} for row in rows}
    for needs, some in wanted.items():
        for row in some:
            pages[row.pk][needs] = []
    for needs, id_, event in _events(wanted):
        pages[id_][needs].append(event)
    return {
        row.pk: Past(row.user_id, row.currency, row.transaction_date, row.pk, pages[row.pk])
        for row in rows
    }


def _wanted(rows: list[Transaction], rules: dict[str, list[Active]]) -> Wanted:
    """What is needed before which transactions. What several rules need alike is there once."""
    wanted: Wanted = defaultdict(list)
    for row in rows:
        for needs in dict.fromkeys(rule.kind.needs for rule in rules.get(row.currency, [])):
            if needs.last != 0:
                wanted[needs].append(row)
    return wanted


def _events(wanted: Wanted) -> Iterator[tuple[Needs, UUID, Event]]:
    """For what, before which transaction, and the event; the newest first."""
    if not wanted:
        return
    pages, parameters = [], list[Any]()
    for number, (needs, rows) in enumerate(wanted.items()):
        pages.append(PAGES.format(number=number, of_type=OF_TYPE[needs.deposits]))
        parameters += [*_places(needs, rows), size_of_first_page(needs)]
    with connection.cursor() as cursor:
        cursor.execute("UNION ALL ".join(pages) + IN_ORDER, parameters)
        found = cursor.fetchall()
    of_number = list(wanted)
    for number, before, id_, at, amount, type_ in found:
        yield of_number[number], before, Event(id_, at, amount, type_ == "credit")


def _places(needs: Needs, rows: list[Transaction]) -> list[list[Any]]:
    return [
        [row.user_id for row in rows],
        [row.currency for row in rows],
        [row.transaction_date for row in rows],
        [row.pk for row in rows],
        [since(needs, row.transaction_date) for row in rows],
    ]
