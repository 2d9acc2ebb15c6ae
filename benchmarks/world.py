"""The benchmarks' environment: a separate database, users with histories, and C's copy of them."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.test.utils import get_runner, override_settings

from accounts.models import User
from fido.lib.cache.redis_link import link
from tests.factories import record
from transactions.models import Transaction

# Small enough for a slow machine to finish a step within the service's limits.
AT_ONCE = 10_000
DEPOSITS = 3
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
# Copies of one transaction: only the shape matters for a history page and for the totals.
COPIES = """
INSERT INTO transactions_transaction
    (id, user_id, full_name, full_name_index, description, transaction_date, transaction_amount,
     transaction_type, currency, version, created_at, updated_at)
SELECT gen_random_uuid(), user_id, full_name, full_name_index, description,
       transaction_date + number * %(apart)s, transaction_amount,
       transaction_type, currency, version, created_at, updated_at
FROM transactions_transaction, generate_series(%(first)s, %(last)s) AS number
WHERE user_id = %(user_id)s AND id = %(id)s
"""
# The state that the worker leaves: one folded row for each day and currency.
FOLDED = """
INSERT INTO analytics_dailytotals (id, user_id, day, currency, pending, count, credit, debit)
SELECT gen_random_uuid(), user_id, (transaction_date AT TIME ZONE 'UTC')::date AS day, currency,
       false, count(*),
       coalesce(sum(transaction_amount) FILTER (WHERE transaction_type = 'credit'), 0),
       coalesce(sum(transaction_amount) FILTER (WHERE transaction_type = 'debit'), 0)
FROM transactions_transaction WHERE user_id = %(user_id)s GROUP BY user_id, day, currency
"""
UNLIMITED = "SET statement_timeout = 0; SET transaction_timeout = 0"


@contextlib.contextmanager
def own_database() -> Iterator[str]:
    """The name of a new, migrated database, which is dropped afterwards."""
    runner = get_runner(settings)(verbosity=0, interactive=False)
    databases = runner.setup_databases()
    try:
        with override_settings(ROOT_URLCONF="benchmarks.urls"), _unread_log():
            yield settings.DATABASES["default"]["NAME"]
    finally:
        link.beats = False  # the servers end before this process
        runner.teardown_databases(databases)


@contextlib.contextmanager
def _unread_log() -> Iterator[None]:
    """Log lines are still formatted, which is part of the cost, but written nowhere."""
    with open(os.devnull, "w") as nowhere:
        handlers = [h for h in logging.getLogger().handlers if isinstance(h, logging.StreamHandler)]
        streams = [handler.setStream(nowhere) for handler in handlers]
        yield
        for handler, stream in zip(handlers, streams, strict=True):
            handler.setStream(stream or sys.stderr)


def user(username: str) -> User:
    """A user without a password: to hash one would take most of the preparation."""
    return User.objects.create(
        username=username, email=f"{username}@example.org", full_name="Ada Lovelace", password="!"
    )


def user_with_history(username: str, transactions: int) -> User:
    """A user with this many transactions over two years, whose totals are folded."""
    owner = user(username)
    row = record(owner, description="Groceries", full_name="Ada Lovelace")
    add_copies(row, transactions - 1, timedelta(days=730) / transactions)
    fold(owner)
    vacuum()
    return owner


def long_history(length: int) -> User:
    """A user with this many rows a minute apart; the last deposits come before all withdrawals.

    The same user where there is one: a million rows take a minute to make.
    """
    name = f"history-{length}"
    if known := User.objects.filter(username=name).first():
        return known
    owner = user(name)
    for _ in range(DEPOSITS):
        record(owner, transaction_date=FIRST)
    row = record(owner, transaction_date=FIRST, transaction_type=Transaction.Type.DEBIT)
    add_copies(row, length - DEPOSITS - 1, timedelta(minutes=1))
    fold(owner)
    vacuum()
    return owner


def add_copies(row: Transaction, count: int, apart: timedelta) -> None:
    """Add rows of the same owner, each `apart` from the one before, in steps; no totals."""
    values: dict[str, Any] = {"user_id": row.user_id, "id": row.pk, "apart": apart}
    with connection.cursor() as cursor:
        for first in range(1, count + 1, AT_ONCE):
            last = min(first + AT_ONCE - 1, count)
            cursor.execute(COPIES, values | {"first": first, "last": last})


def fold(owner: User) -> None:
    """Make the owner's totals anew from the transactions, as if all were folded."""
    with unlimited() as cursor:
        for statement in ("DELETE FROM analytics_dailytotals WHERE user_id = %(user_id)s", FOLDED):
            cursor.execute(statement, {"user_id": owner.pk})


def vacuum() -> None:
    """The state in which autovacuum leaves the tables after a while."""
    with unlimited() as cursor:
        cursor.execute("VACUUM ANALYZE transactions_transaction, analytics_dailytotals")


@contextlib.contextmanager
def unlimited() -> Iterator[Any]:
    """A cursor without the service's limits, which a slow machine would run into."""
    with connection.cursor() as cursor:
        cursor.execute(UNLIMITED)
        connection.connection.wait_seconds = None
        yield cursor
    # The next one has the limits again.
    connection.close()
