"""Each kind of work has a queue and threads, so a flood of one delays no other."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from django.conf import settings
from django_redis import get_redis_connection

from accounts.tasks import purge_sessions
from analytics.alerts import tasks as alerts
from analytics.alerts.models import Delivery, PendingCheck, WebhookEndpoint
from analytics.checks import tasks as checks
from analytics.models import DailyTotals
from fido.celery import app
from fido.queues import FORMER, JOBS, THREADS, WORKER
from fido.tasks import purge_idempotency_keys
from tests.alerts import add_default_rules, check_all, recorded, stream
from tests.client import ApiClient
from tests.fido.processes import PROJECT
from tests.imports import csv, present, submitted
from tests.queue import QUEUE_OF, flood, waiting
from tests.races import wait_until
from tests.receiver import Receiver
from tests.worker import running_worker
from transactions.imports import tasks as imports

COMPOSE = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
TEN_ROWS = csv(*["2026-01-31,1,credit"] * 10)


def test_each_job_has_a_queue() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith(("celery.", "tests."))}

    assert set(QUEUE_OF) == ours
    assert len(QUEUE_OF) == sum(len(jobs) for jobs in JOBS.values())
    for job, queue in QUEUE_OF.items():
        assert app.amqp.router.route({}, job)["queue"].name == queue


def test_the_worker_takes_all_queues_in_make_run_and_in_containers_and_by_hand() -> None:
    commands = [each.get("command", []) for each in COMPOSE["services"].values()]

    assert [command for command in commands if "worker" in command] == [
        ["celery", "--quiet", "-A", "fido", *WORKER, "--loglevel=WARNING"]
    ]
    assert f"celery -A fido {' '.join(WORKER)}\n" in (PROJECT / "docs/servers.md").read_text()
    assert not any(option.startswith(("-Q", "--queues")) for option in WORKER)
    assert set(app.amqp.queues.consume_from) == {*JOBS, FORMER}


def test_jobs_that_last_long_leave_threads_to_the_short_ones() -> None:
    # Of warming there is one round at a time, and of the rates one sync.
    long = alerts.CHECKS.count + alerts.SENDING.count + imports.PLACES.count + 2
    long += checks.ROUNDS.count

    assert THREADS - long >= 2
    assert settings.CELERY_WORKER_PREFETCH_MULTIPLIER == 1


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("WEBHOOK_ALLOW_LOOPBACK", "true")
    with Receiver().open() as receiver:
        yield receiver


@pytest.mark.django_db(transaction=True)
def test_while_ten_thousand_jobs_wait_an_import_and_all_that_follows_it_is_done(
    ada: ApiClient, receiver: Receiver
) -> None:
    add_default_rules()
    WebhookEndpoint.objects.create(url=receiver.url)
    flood(purge_sessions, 5_000)
    flood(purge_idempotency_keys, 5_000, queue=FORMER)
    assert ada.user
    recorded(ada.user, stream("-101@0")[0])
    row = submitted(ada, TEN_ROWS)

    with running_worker(concurrency=THREADS):
        wait_until(lambda: present(row.pk).status == "done")
        wait_until(lambda: not DailyTotals.objects.filter(pending=True).exists())
        wait_until(lambda: not PendingCheck.objects.exists())
        wait_until(lambda: Delivery.objects.filter(status="delivered").exists())
        still_waiting = {queue: waiting(queue) for queue in ("periodic", FORMER)}

    assert min(still_waiting.values()) > 0
    assert present(row.pk).rows_created == 10


@pytest.mark.django_db(transaction=True)
def test_what_an_earlier_release_has_queued_is_done(ada: ApiClient, receiver: Receiver) -> None:
    add_default_rules()
    WebhookEndpoint.objects.create(url=receiver.url)
    assert ada.user
    recorded(ada.user, stream("-101@0")[0])
    check_all(ada.user)
    recorded(ada.user, stream("-101@1")[0])
    row = submitted(ada, TEN_ROWS)
    get_redis_connection().flushdb()
    former: dict[str, tuple[Any, ...]] = {
        "imports.run_import": (ada.user_id, str(row.pk)),
        "analytics.fold_totals": (ada.user_id,),
        "alerts.check": (ada.user_id,),
        "alerts.deliver": (ada.user_id,),
    }
    for name, arguments in former.items():
        app.send_task(name, arguments, {"new": "argument"}, queue=FORMER)

    with running_worker():
        wait_until(lambda: present(row.pk).status == "done")
        wait_until(lambda: not DailyTotals.objects.filter(pending=True).exists())
        wait_until(lambda: not PendingCheck.objects.exists())
        wait_until(lambda: Delivery.objects.filter(status="delivered").exists())
