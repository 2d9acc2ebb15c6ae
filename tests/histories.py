"""Histories too long to record one by one."""

from typing import Any

from django.db import connection

from transactions.models import Transaction

# One minute apart. The tokens are those of the recorded transaction, so they can be decrypted.
COPIES = """
INSERT INTO transactions_transaction
    (id, user_id, full_name, full_name_index, description, transaction_date, transaction_amount,
     transaction_type, currency, version, created_at, updated_at)
SELECT gen_random_uuid(), user_id, full_name, full_name_index, description,
       transaction_date + number * interval '1 minute', 1 + number %% 1000,
       transaction_type, currency, version, created_at, updated_at
FROM transactions_transaction, generate_series(%(first)s, %(last)s) AS number
WHERE user_id = %(user_id)s AND id = %(id)s
"""
AT_ONCE = 50_000  # within the service's statement_timeout


def add_copies(row: Transaction, count: int) -> None:
    """Add that many rows of the same owner, each a minute later, bypassing the totals."""
    values: dict[str, Any] = {"user_id": row.user_id, "id": row.pk}
    with connection.cursor() as cursor:
        for first in range(1, count + 1, AT_ONCE):
            last = min(first + AT_ONCE - 1, count)
            cursor.execute(COPIES, values | {"first": first, "last": last})
        cursor.execute("ANALYZE transactions_transaction")
