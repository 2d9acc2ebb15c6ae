"""Who asks in the measurements under load, and the same data for both services."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

from accounts.models import User
from analytics import operations as totals
from analytics.alerts import turns
from benchmarks import world
from tests.factories import record, wallet

WRITERS = 64
SHORT, READ, LONG = 100, 1_000, 1_000_000
YEARS, CURRENCIES = 10, ("USD", "EUR", "GBP", "JPY", "CHF")
SCHEMA = Path(__file__).parent.parent / "peers" / "lean" / "schema.sql"

USERS = """
SELECT id, full_name, currency::text, is_active, replace(session_epoch::text, '-', '')
FROM accounts_user
"""
TRANSACTIONS = """
SELECT id, user_id, full_name, full_name_index, description, transaction_date, transaction_amount,
    transaction_type::text, currency::text, external_id::text, category::text, created_at,
    updated_at
FROM transactions_transaction
"""
PENDING = """
SELECT EXISTS (SELECT FROM analytics_dailytotals WHERE pending)
    OR EXISTS (SELECT FROM alerts_pendingcheck)
"""
SETTLE_SECONDS = 120


@dataclass(frozen=True)
class World:
    """The users, by what is asked of them."""

    reader: User
    hundred: User
    decade: User
    writer: User
    writers: list[User]
    bulk: list[User]
    million: User | None


def built(*, quick: bool, step: Callable[[int], None]) -> World:
    """All users. `step` is told of each that is done."""

    def done(owner: User) -> User:
        step(1)
        return owner

    long = None if quick else done(world.long_history(LONG))
    return World(
        reader=done(world.user_with_history("reader", READ)),
        hundred=done(world.user_with_history("hundred", SHORT)),
        decade=done(_decade()),
        writer=done(_writer("writer")),
        writers=[done(_writer(f"writer{n}")) for n in range(WRITERS)],
        bulk=[done(world.user(f"bulk{n}")) for n in range(4)],
        million=long,
    )


def _decade() -> User:
    """A transaction on each day of ten years in each of five currencies."""
    owner = world.user("decade")
    for currency in CURRENCIES:
        first = record(
            owner, transaction_date=world.FIRST, currency=currency, transaction_amount=Decimal(10)
        )
        world.add_copies(first, YEARS * 365 - 1, -timedelta(days=1))
    world.fold(owner)
    world.vacuum()
    return owner


def _writer(name: str) -> User:
    owner = world.user(name)
    wallet(owner, "main", USD="1000000000.00")
    return owner


@contextlib.contextmanager
def copied_to_lean(source: str) -> Iterator[str]:
    """The URL of C's database, which holds the same users and transactions."""
    url = in_database("fido_bench_lean")
    with psycopg.connect(in_database("postgres"), autocommit=True) as admin:
        admin.execute("DROP DATABASE IF EXISTS fido_bench_lean")
        admin.execute("CREATE DATABASE fido_bench_lean")
        try:
            _copy(source, url)
            yield url
        finally:
            admin.execute("DROP DATABASE fido_bench_lean WITH (FORCE)")


def _copy(source: str, target: str) -> None:
    with psycopg.connect(source) as ours, psycopg.connect(target, autocommit=True) as theirs:
        theirs.execute(SCHEMA.read_text())
        for table, query in (("users", USERS), ("transactions", TRANSACTIONS)):
            read = ours.cursor().copy(f"COPY ({query}) TO STDOUT (FORMAT binary)")
            columns = "(id, full_name, currency, is_active, epoch)" if table == "users" else ""
            written = theirs.cursor().copy(f"COPY {table} {columns} FROM STDIN (FORMAT binary)")
            with read as rows, written as sink:
                for part in rows:
                    sink.write(part)
        theirs.execute("VACUUM ANALYZE")


def in_database(name: str) -> str:
    """The server's URL, with another database."""
    return urlunsplit(urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}"))


def in_redis(number: int) -> str:
    """Valkey's URL, with another of its databases."""
    return urlunsplit(urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{number}"))


@contextlib.contextmanager
def settling(database: str) -> Iterator[Callable[[], None]]:
    """A function that waits until the worker has nothing to do any more."""
    queue = redis.Redis.from_url(os.environ["REDIS_URL"])
    with psycopg.connect(database, autocommit=True) as reader:

        def settle() -> None:
            deadline = time.monotonic() + SETTLE_SECONDS
            while (queued := _queued(queue)) or _pends(reader):
                if time.monotonic() > deadline:
                    raise RuntimeError(f"The worker does not come to an end; jobs: {queued}.")
                if not queued:
                    _sweep()
                time.sleep(0.05)

        yield settle


def _queued(queue: redis.Redis) -> int:
    # Jobs that wait for their time are among the unacknowledged ones.
    return int(queue.llen("celery")) + int(queue.hlen("unacked"))


def _sweep() -> None:
    """What beat does: a job is not requested where Redis did not answer a write in time."""
    totals.fold_everybody()
    turns.check_everybody(seconds=SETTLE_SECONDS)


def _pends(reader: psycopg.Connection) -> bool:
    row = reader.execute(PENDING).fetchone()
    return row is not None and bool(row[0])
