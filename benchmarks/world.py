"""The benchmarks' environment: real servers, a separate database, users with histories."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator

from django.conf import settings
from django.db import connection
from django.test.utils import get_runner, override_settings

from accounts.models import User
from analytics import operations as totals
from fido.lib.cache.redis_link import link
from tests.factories import UserFactory, record

# Copies of one transaction, spread evenly over two years: only the shape matters for a history page
# and for the totals.
COPIES = """
INSERT INTO transactions_transaction
    (id, user_id, full_name, full_name_index, description, transaction_date, transaction_amount,
     transaction_type, currency, version, created_at, updated_at)
SELECT gen_random_uuid(), user_id, full_name, full_name_index, description,
       transaction_date + number * interval '730 days' / %(copies)s, transaction_amount,
       transaction_type, currency, version, created_at, updated_at
FROM transactions_transaction, generate_series(1, %(copies)s) AS number
WHERE user_id = %(user_id)s
"""


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


def user_with_history(username: str, transactions: int) -> User:
    """A user with this many transactions, whose totals are folded."""
    user = UserFactory.create(username=username, full_name="Ada Lovelace")
    record(user, description="Groceries")
    with connection.cursor() as cursor:
        cursor.execute(COPIES, {"user_id": user.pk, "copies": transactions - 1})
        totals.repair(first_user_id=user.pk, last_user_id=user.pk)
        totals.fold([user.pk])
        # The state in which autovacuum leaves a table after a while.
        cursor.execute("VACUUM ANALYZE transactions_transaction, analytics_dailytotals")
    return user
