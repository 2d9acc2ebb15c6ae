"""PostgreSQL's connections become silent for good: each process notices, and is useful again.

New connections work, as behind a proxy or a firewall that has forgotten the old ones.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from analytics import tasks
from analytics.models import DailyTotals
from fido.lib.cache.versioned_cache import look
from fido.lib.process.database import TRUSTED_SECONDS
from tests.client import ApiClient
from tests.cut_line import Line, laid
from tests.factories import UserFactory, record
from tests.fido.processes import PROJECT, eventually
from tests.races import DEADLINE_SECONDS, waiting_for_locks
from tests.servers import operators_environment
from tests.webserver import WebServer, serving
from tests.worker import running_worker
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = "1"  # second for a statement


@pytest.fixture
def line() -> Iterator[Line]:
    with laid() as line:
        yield line


@contextmanager
def locked(sql: str, *parameters: Any) -> Iterator[None]:
    """Lock what it selects, so that a statement of another process is certainly on its way."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"{sql} FOR UPDATE", parameters)
        yield


@pytest.fixture
def server(line: Line) -> Iterator[WebServer]:
    with serving(DATABASE_URL=line.url, STATEMENT_TIMEOUT_SECONDS=LIMIT) as server:
        yield server


def edited(server: WebServer, ada: ApiClient, row: Transaction) -> Any:
    return server.request(
        "PATCH",
        f"/api/v1/transactions/{row.pk}",
        json.dumps({"category": "rent"}),
        Authorization=f"Bearer {ada.token}",
        Content_Type="application/json",
    )


def test_a_request_whose_statement_is_never_answered_is_told_to_come_back(
    ada: ApiClient, line: Line, server: WebServer
) -> None:
    row = record(User.objects.get(pk=ada.user_id))
    lock = "SELECT FROM transactions_transaction WHERE user_id = %s"
    with ThreadPoolExecutor(1) as pool:
        with locked(lock, ada.user_id):
            request = pool.submit(edited, server, ada, row)
            eventually(lambda: waiting_for_locks() == 1)
            line.silence()
            # PostgreSQL has cancelled it, and nobody hears that.
            eventually(lambda: waiting_for_locks() == 0)
        refused = request.result()

    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    assert json.loads(refused.content)["code"] == "database-unavailable"
    # What it sent may have been done.
    view = look(ada.user_id)
    assert view is not None
    assert view.writer_stands
    assert edited(server, ada, row).status == 200


def test_a_request_on_an_idle_connection_gets_another_one(
    ada: ApiClient, line: Line, server: WebServer
) -> None:
    row = record(User.objects.get(pk=ada.user_id))
    assert edited(server, ada, row).status == 200
    line.silence()
    time.sleep(TRUSTED_SECONDS)

    assert edited(server, ada, row).status == 200


def have_folded(user: User) -> bool:
    """Ask for a fold, and say whether one is done."""
    tasks.sweep_totals.delay()
    return not DailyTotals.objects.filter(user=user, pending=True).exists()


def test_a_worker_does_its_next_job(line: Line) -> None:
    user = UserFactory.create()
    lock = "SELECT FROM analytics_dailytotals WHERE user_id = %s"
    with running_worker(concurrency=1, DATABASE_URL=line.url, STATEMENT_TIMEOUT_SECONDS=LIMIT):
        record(user)
        with locked(lock, user.pk):
            tasks.sweep_totals.delay()
            eventually(lambda: waiting_for_locks() == 1)
            line.silence()

        eventually(lambda: have_folded(user))

        record(user)
        line.silence()  # now between two jobs
        eventually(lambda: have_folded(user))


@contextmanager
def running_beat(**variables: str) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "fido", "beat", "--max-interval=1"]
    process = subprocess.Popen(
        [*command, "--pidfile=", "--loglevel=WARNING"],
        cwd=PROJECT,
        env=operators_environment(LOG_LEVEL="WARNING", **variables),
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def test_beat_looks_at_its_schedule_again(line: Line, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    with running_beat(
        DATABASE_URL=line.url, ALIVE_FILE=str(alive), STATEMENT_TIMEOUT_SECONDS=LIMIT
    ):
        eventually(alive.exists)
        line.silence()

        # One look may have been under way.
        for _ in range(2):
            alive.unlink()
            eventually(alive.exists)
