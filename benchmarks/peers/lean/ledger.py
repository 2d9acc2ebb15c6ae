"""The lean service's statements: one for each answer, on prepared connections."""

import os
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import asyncpg

USER = "SELECT full_name, currency, is_active, epoch FROM users WHERE id = $1"
COLUMNS = (
    "id, user_id, full_name, full_name_index, description, transaction_date, transaction_amount,"
    " transaction_type, currency, external_id, category, created_at, updated_at"
)
VALUES = "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $12"
INSERT = f"INSERT INTO transactions ({COLUMNS}) VALUES ({VALUES})"
# The key and the transaction, or neither: no row comes back where the key is used.
INSERT_ONCE = f"""
WITH claimed AS (
    INSERT INTO idempotency_keys (user_id, key_digest, fingerprint, answer, created_at)
    VALUES ($2, $13, $14, $15, $12)
    ON CONFLICT DO NOTHING RETURNING user_id
)
INSERT INTO transactions ({COLUMNS})
SELECT $1::uuid, $2::bigint, $3::bytea, $4::bytea, $5::bytea, $6::timestamptz, $7::numeric,
    $8::text, $9::text, $10::text, $11::text, $12::timestamptz, $12
FROM claimed RETURNING id
"""
FIRST = "SELECT fingerprint, answer FROM idempotency_keys WHERE user_id = $1 AND key_digest = $2"
PAGE = f"""
SELECT {COLUMNS} FROM transactions
WHERE user_id = $1 AND transaction_date < $2 AND (transaction_date, id) < ($3, $4)
ORDER BY transaction_date DESC, id DESC LIMIT $5
"""
# One scan of the rows: by day and currency first, then both sums from those.
ANALYTICS = """
WITH days AS MATERIALIZED (
    SELECT (transaction_date AT TIME ZONE 'UTC')::date AS day, currency, count(*) AS n,
        sum(transaction_amount) FILTER (WHERE transaction_type = 'credit') AS credit,
        sum(transaction_amount) FILTER (WHERE transaction_type = 'debit') AS debit
    FROM transactions WHERE user_id = $1 AND transaction_date < $2
    GROUP BY 1, 2
), busiest AS (
    SELECT day, sum(n)::bigint AS n FROM days GROUP BY day ORDER BY 2 DESC, 1 DESC LIMIT 1
)
SELECT users.full_name, users.currency AS own, busiest.day, busiest.n AS day_count, lines.*
FROM users LEFT JOIN busiest ON true LEFT JOIN (
    SELECT currency, sum(n)::bigint AS n, coalesce(sum(credit), 0) AS credit,
        coalesce(sum(debit), 0) AS debit
    FROM days GROUP BY currency ORDER BY currency
) AS lines ON true
WHERE users.id = $1
"""
FAR = datetime(9999, 12, 31, tzinfo=UTC)
LAST_ID = UUID(int=2**128 - 1)
CONNECTIONS = 8


async def connected() -> Any:
    """The pool. It sends no RESET after each use: nothing here sets anything."""
    return await asyncpg.create_pool(
        os.environ["LEAN_DATABASE_URL"],
        min_size=CONNECTIONS,
        max_size=CONNECTIONS,
        reset=_keep_as_it_is,
    )


async def _keep_as_it_is(connection: Any) -> None:
    pass


def end_of(day: date | None) -> datetime:
    return FAR if day is None else datetime.combine(day + timedelta(days=1), time.min, UTC)
