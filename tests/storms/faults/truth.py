"""What is stored: looked up directly, past the service."""

import time
from collections import defaultdict
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from analytics.alerts.rules import Event
from tests.storms.faults.history import State, Value
from tests.storms.faults.raised import Alerts
from tests.storms.faults.service import Person

TRANSACTIONS = """
SELECT id, user_id, transaction_date, transaction_amount, transaction_type, wallet_id IS NOT NULL
FROM transactions_transaction ORDER BY transaction_date, id
"""
ALERTS = "SELECT id, transaction_id, code FROM alerts_alert"
# What the background has not done yet.
WAITING = """
SELECT (SELECT count(*) FROM alerts_pendingcheck)
    + (SELECT count(*) FROM alerts_delivery WHERE status = 'pending')
"""


class Truth:
    """`seen` is when each transaction was first found here."""

    def __init__(self) -> None:
        self.seen: dict[UUID, float] = {}
        self.rows: list[Any] = []

    def look(self, database_url: str) -> None:
        with psycopg.connect(database_url) as connection:
            self.rows = connection.execute(TRANSACTIONS).fetchall()
            self.alerts: list[Any] = connection.execute(ALERTS).fetchall()
        now = time.monotonic()
        for row in self.rows:
            self.seen.setdefault(row[0], now)

    def values(self) -> list[tuple[str, str, Value]]:
        """Book, tag and value of each transaction, and the same for the wallets'."""
        found: list[tuple[str, str, Value]] = []
        for _, user_id, date, amount, kind, has_wallet in self.rows:
            entry = (str(int(date.timestamp())), Decimal(amount if kind == "credit" else -amount))
            found.append((str(user_id), *entry))
            if has_wallet:
                found.append((f"{user_id} wallet", *entry))
        return found

    def judged(
        self,
        people: list[Person],
        codes: dict[tuple[int, str], list[int]],
        received: list[tuple[str, str]],
    ) -> Alerts:
        senders = {person.id for person in people if person.name.startswith("sender")}
        events, others, told = defaultdict(list), [], {}
        for id_, user_id, date, amount, kind, _ in self.rows:
            event = Event(id_, date, amount, kind == "credit")
            if user_id in senders:
                events[user_id].append(event)
                if (answer := codes.get((user_id, str(int(date.timestamp()))))) is not None:
                    told[id_] = answer
            else:
                others.append(event)
        return Alerts(events, others, self.alerts, received, told)


def state_of(values: list[tuple[str, str, Value]]) -> State:
    state: dict[str, dict[str, Value]] = defaultdict(dict)
    for book, tag, value in values:
        state[book][tag] = value
    return state


def waiting(database_url: str) -> int:
    """How many checks and deliveries the background still has to do."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(WAITING).fetchone()
        assert row
        return int(row[0])


def in_progress(database_url: str) -> int:
    """How many connections of the service are in the middle of a statement or transaction."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fido'"
            " AND state <> 'idle' AND pid <> pg_backend_pid()"
        ).fetchone()
        assert row
        return int(row[0])
