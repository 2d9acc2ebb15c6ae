"""Random writes through the operations, and the true sums of the transactions."""

import random
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection, connections, transaction

from accounts.models import User
from analytics import operations as totals
from analytics import queries
from analytics.queries import Line, Summary
from fido.lib.values.clock import Period
from fido.lib.values.errors import NotFound
from tests.factories import record
from transactions import operations
from transactions.models import Transaction

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
CURRENCIES = {"USD": 2, "JPY": 0, "KWD": 3}


class Undone(Exception):
    """Raised on purpose, to roll a write back."""


class Movements:
    """A source of random writes on some users, repeatable by its seed."""

    def __init__(self, users: list[User], seed: int) -> None:
        self.users = users
        self.random = random.Random(seed)
        self.done: dict[str, int] = defaultdict(int)

    def step(self) -> None:
        """One create, edit, delete or rolled-back write."""
        user = self.random.choice(self.users)
        kinds = (self._create, self._edit, self._delete, self._rolled_back)
        kind = self.random.choices(kinds, weights=(45, 30, 15, 10))[0]
        kind(user)
        self.done[kind.__name__] += 1

    def _fields(self) -> dict[str, Any]:
        currency = self.random.choice(list(CURRENCIES))
        units = self.random.randrange(1, 10**9)
        return {
            "transaction_amount": Decimal(units).scaleb(-CURRENCIES[currency]),
            "transaction_type": self.random.choice(["credit", "debit"]),
            "transaction_date": FIRST_DAY + timedelta(hours=self.random.randrange(24 * 10)),
            "currency": currency,
        }

    def _create(self, user: User) -> None:
        record(user, **self._fields())

    def _edit(self, user: User) -> None:
        if row := self._any_row(user):
            fields = self._fields()
            some = self.random.sample(sorted(fields), k=self.random.randrange(1, 5))
            # An amount needs a currency with its decimals.
            if {"currency", "transaction_amount"} & set(some):
                some += ["currency", "transaction_amount"]
            self._ignoring_deleted(operations.amend, row, {name: fields[name] for name in some})

    def _delete(self, user: User) -> None:
        if row := self._any_row(user):
            self._ignoring_deleted(operations.delete, row)

    def _rolled_back(self, user: User) -> None:
        try:
            with transaction.atomic():
                self.random.choice((self._create, self._edit, self._delete))(user)
                raise Undone
        except Undone:
            pass

    def _any_row(self, user: User) -> Transaction | None:
        rows = Transaction.objects.filter(user_id=user.pk).order_by("id")
        return rows[self.random.randrange(40) :].first() or rows.first()

    def _ignoring_deleted(self, operation: Any, row: Transaction, *changes: Any) -> None:
        arguments = {"changes": changes[0]} if changes else {}
        try:
            operation(row=row, **arguments)
        except NotFound:
            self.done["lost to another's delete"] += 1


def in_threads(users: list[User], *, threads: int, steps: int, seed: int) -> dict[str, int]:
    """Run `steps` random writes in total, from several threads at once; count the writes done."""

    def run(number: int) -> dict[str, int]:
        try:
            movements = Movements(users, seed + number)
            for _ in range(steps // threads):
                movements.step()
            return movements.done
        finally:
            connections.close_all()

    with ThreadPoolExecutor(threads) as pool:
        counts: dict[str, int] = defaultdict(int)
        for done in pool.map(run, range(threads)):
            for kind, number in done.items():
                counts[kind] += number
        return counts


class FoldingThread(threading.Thread):
    """Folds some users, in any order, without pause until `stop` is set."""

    def __init__(self, users: list[User]) -> None:
        super().__init__(daemon=True)
        self.users, self.stop, self.folds = users, threading.Event(), 0

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                some = random.sample(self.users, random.randint(1, len(self.users)))
                self.folds += totals.fold([user.pk for user in some])
        finally:
            connections.close_all()


def recomputed(user: User, rows: list[Transaction]) -> Summary:
    """The summary, recomputed only from the user's transactions with Python's Decimal."""
    lines: dict[str, Line] = {}
    days: dict[date, int] = defaultdict(int)
    for row in rows:
        credit = row.transaction_amount if row.transaction_type == "credit" else Decimal(0)
        line = Line(row.currency, 1, credit, row.transaction_amount - credit)
        lines[row.currency] = lines[row.currency] + line if row.currency in lines else line
        days[row.transaction_date.astimezone(UTC).date()] += 1
    busiest = max(days.items(), key=lambda item: (item[1], item[0]), default=None)
    return Summary(user.full_name, user.currency, [lines[c] for c in sorted(lines)], busiest)


def assert_exact(user: User) -> None:
    """Check that analytics equal the transactions, both in one snapshot."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        answered = queries.summary(user_id=user.pk, period=Period())
        rows = list(Transaction.objects.filter(user_id=user.pk))
    assert answered == recomputed(user, rows)
