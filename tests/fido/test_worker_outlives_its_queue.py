"""A worker that loses its queue in the middle of a job goes on when the queue is back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from kombu import Connection

from accounts.models import User
from analytics import tasks
from analytics.models import DailyTotals
from tests.factories import UserFactory, record
from tests.fido.processes import eventually
from tests.races import waiting_for_locks
from tests.servers import operators_environment
from tests.storms.faults import processes
from tests.storms.faults.processes import Process
from tests.valkey import Valkey
from tests.worker import url_of_test_database

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Valkey]:
    (tmp_path / "valkey").mkdir()
    queue = Valkey(tmp_path / "valkey")
    yield queue
    queue.kill()


@pytest.fixture
def worker(queue: Valkey, tmp_path: Path) -> Iterator[Process]:
    servers = {"DATABASE_URL": url_of_test_database(), "REDIS_URL": queue.url}
    environment = operators_environment(**servers, CELERY_BROKER_URL=queue.url)
    worker = processes.worker(environment, tmp_path / "worker.log")
    yield worker
    worker.kill()


def ask_for_a_fold(queue: Valkey) -> None:
    with Connection(queue.url) as broker:
        tasks.sweep_totals.apply_async(connection=broker)  # type: ignore[call-arg]


def has_folded(user: User) -> bool:
    return not DailyTotals.objects.filter(user=user, pending=True).exists()


def test_a_worker_outlives_the_loss_of_its_queue(queue: Valkey, worker: Process) -> None:
    user = UserFactory.create()
    record(user)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT FROM analytics_dailytotals FOR UPDATE")
        ask_for_a_fold(queue)
        eventually(lambda: waiting_for_locks() == 1)
        queue.kill()  # while the job is not acknowledged
        eventually(lambda: "Connection to broker lost" in worker.log.read_text())
    queue.start()
    record(user)
    ask_for_a_fold(queue)

    eventually(lambda: has_folded(user) or worker.running.poll() is not None)
    assert worker.running.poll() is None, worker.log.read_text()[-3000:]
