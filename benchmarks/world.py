"""Where the benchmarks run: real servers, a database of their own, users with histories."""

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

import django
from django.test.utils import get_runner, override_settings

from tests.servers import environment

# Copies of one transaction, spread evenly over two years: the shape is what a history page and
# the totals care for.
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
def prepared() -> Iterator[None]:
    """Django on a new, migrated database that is dropped afterwards."""
    with environment() as variables:
        os.environ.update(variables, DJANGO_SETTINGS_MODULE="fido.settings")
        django.setup()
        _write_log_to_nowhere()
        from django.conf import settings

        runner = get_runner(settings)(verbosity=0, interactive=False)
        databases = runner.setup_databases()
        try:
            with override_settings(ROOT_URLCONF="benchmarks.urls"):
                yield
        finally:
            runner.teardown_databases(databases)


def _write_log_to_nowhere() -> None:
    """Log lines are still made, which costs the service something, but nobody reads them."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(open(os.devnull, "w"))


def user_with_history(username: str, transactions: int) -> Any:
    """A user with this many transactions, whose totals are folded."""
    from django.db import connection

    from analytics import operations as totals
    from tests.factories import UserFactory, record

    user = UserFactory.create(username=username, full_name="Ada Lovelace")
    record(user, description="Groceries")
    with connection.cursor() as cursor:
        cursor.execute(COPIES, {"user_id": user.pk, "copies": transactions - 1})
        totals.repair(first_user_id=user.pk, last_user_id=user.pk)
        totals.fold(user.pk)
        # As autovacuum leaves a table that has stood for a while.
        cursor.execute("VACUUM ANALYZE transactions_transaction, analytics_dailytotals")
    return user
