"""A worker's connections to PostgreSQL: one for each thread, and never a broken one."""

import pytest
from django.db import connection, transaction

from accounts.models import User
from analytics import tasks
from analytics.models import DailyTotals
from tests.factories import UserFactory, record
from tests.races import wait_until
from tests.worker import running_worker

pytestmark = pytest.mark.django_db(transaction=True)

OTHERS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


def backends() -> set[int]:
    """The worker's, which is the only other client of the test's database."""
    with connection.cursor() as cursor:
        cursor.execute(OTHERS)
        return {pid for (pid,) in cursor.fetchall()}


def have_folded(user: User) -> set[int]:
    """Have a worker do a job; return its backends afterwards."""
    record(user)
    tasks.sweep_totals.delay()
    wait_until(lambda: not DailyTotals.objects.filter(user=user, pending=True).exists())
    return backends()


def end(pids: set[int]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [list(pids)])
    wait_until(lambda: not backends() & pids)


def test_a_connection_stays_for_the_next_job_and_a_broken_one_is_replaced() -> None:
    user = UserFactory.create()
    with running_worker(concurrency=1):
        first = have_folded(user)
        assert have_folded(user) == first

        end(first)
        later = have_folded(user)

    assert first
    assert later
    assert not first & later


def test_a_job_that_is_run_on_the_spot_leaves_its_caller_the_transaction() -> None:
    user = UserFactory.create()

    with transaction.atomic():
        record(user)
        assert tasks.sweep_totals.apply().successful()

    assert DailyTotals.objects.get(user=user).count == 1
