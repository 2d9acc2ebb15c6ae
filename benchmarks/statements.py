"""The PostgreSQL statements of the hot paths, with psycopg alone: no ORM, checks or decryption."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import psycopg

USER = "SELECT * FROM accounts_user WHERE id = %s"
INSERT = """
INSERT INTO transactions_transaction
    (id, user_id, full_name, full_name_index, description, transaction_date, transaction_amount,
     transaction_type, currency, version, created_at, updated_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
CLAIM = """
INSERT INTO fido_idempotencykey (id, user_id, key_digest, created_at) VALUES (%s, %s, %s, %s)
ON CONFLICT (user_id, key_digest) DO NOTHING
"""
KEEP = "UPDATE fido_idempotencykey SET answer = %s WHERE user_id = %s AND key_digest = %s"
APPEND = """
INSERT INTO analytics_dailytotals (id, user_id, day, currency, pending, count, credit, debit)
VALUES (%s, %s, %s, %s, true, 1, %s, 0)
"""
PAGE = """
SELECT * FROM transactions_transaction
WHERE user_id = %s ORDER BY transaction_date DESC, id DESC LIMIT 51
"""
SUMS = """
SELECT currency, sum(count)::text, sum(credit)::text, sum(debit)::text
FROM analytics_dailytotals WHERE user_id = %s GROUP BY currency
"""
BUSIEST = """
SELECT day, sum(count) FROM analytics_dailytotals
WHERE user_id = %s GROUP BY day ORDER BY 2 DESC, 1 DESC LIMIT 1
"""
ALL = """
SELECT id, user_id, full_name, transaction_date, transaction_amount, transaction_type, currency,
    description, external_id, created_at, updated_at
FROM transactions_transaction WHERE user_id = %s ORDER BY transaction_date DESC, id DESC
"""


class Bare:
    """The statements of each path, on a separate connection."""

    def __init__(self, database: str) -> None:
        self.connection = psycopg.connect(
            os.environ["DATABASE_URL"], dbname=database, autocommit=True
        )

    def close(self) -> None:
        self.connection.close()

    def stored_name(self, user_id: int) -> bytes:
        """A stored name, encrypted, to insert again."""
        return bytes(self._all("SELECT full_name FROM accounts_user WHERE id = %s", user_id)[0][0])

    def create(self, user_id: int, token: bytes) -> None:
        self._all(USER, user_id)
        with self.connection.transaction():
            self._record(user_id, token, 1)

    def create_once(self, user_id: int, token: bytes) -> None:
        key = uuid4()
        self._all(USER, user_id)
        with self.connection.transaction():
            self.connection.execute(CLAIM, (key, user_id, key.bytes, datetime.now(UTC)))
            self._record(user_id, token, 1)
            self.connection.execute(KEEP, (token * 5, user_id, key.bytes))

    def create_many(self, user_id: int, token: bytes, rows: int) -> None:
        self._all(USER, user_id)
        with self.connection.transaction():
            self._record(user_id, token, rows)

    def _record(self, user_id: int, token: bytes, rows: int) -> None:
        at, amount = datetime.now(UTC), Decimal("12.34")
        values = (token, None, token, at, amount, "credit", "USD", 1, at, at)
        self.connection.cursor().executemany(
            INSERT, [(uuid4(), user_id, *values) for _ in range(rows)]
        )
        self.connection.execute(APPEND, (uuid4(), user_id, at.date(), "USD", amount))

    def page(self, user_id: int) -> None:
        self._all(USER, user_id)
        self._all(PAGE, user_id)

    def analytics(self, user_id: int) -> None:
        self._all(USER, user_id)
        self._all(SUMS, user_id)
        self._all(BUSIEST, user_id)

    def export(self, user_id: int) -> Iterator[list[tuple[Any, ...]]]:
        """The history from a server-side cursor, some rows at a time."""
        with self.connection.transaction(), self.connection.cursor("export") as cursor:
            cursor.execute(ALL, (user_id,))
            while rows := cursor.fetchmany(500):
                yield rows

    def _all(self, statement: str, user_id: int) -> list[Any]:
        return self.connection.execute(statement, (user_id,)).fetchall()
