"""The stats job: queued once, run by a real worker, and never blocking a write."""

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from django_redis import get_redis_connection

from analytics import tasks
from analytics.models import DailyTotals
from fido.celery import app
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.races import wait_until
from tests.worker import running_worker

CLOSED_PORT = "redis://127.0.0.1:1/0"


def queued() -> int:
    length: int = get_redis_connection().llen("celery")
    return length


@pytest.mark.django_db(transaction=True)
def test_many_writes_queue_one_fold_for_everybody() -> None:
    users = UserFactory.create_batch(2)

    for _ in range(5):
        for user in users:
            record(user)

    # Beside one check for alerts for each user.
    assert queued() == 1 + 2


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_write_queues_nothing(ada: ApiClient) -> None:
    body = {"transaction_amount": "0.001", "transaction_type": "credit"}
    assert ada.post("/transactions", body | {"transaction_date": "2026-01-31"}).status_code == 400

    assert queued() == 0


@pytest.mark.django_db(transaction=True)
def test_a_worker_folds_what_was_written_and_the_next_write_asks_again() -> None:
    user = UserFactory.create()
    rows = DailyTotals.objects.filter(user=user)
    with running_worker():
        for expected in (1, 2):
            record(user)
            wait_until(lambda: not rows.filter(pending=True).exists())
            assert rows.get().count == expected


@pytest.mark.django_db(transaction=True)
def test_the_sweep_folds_what_no_job_was_queued_for() -> None:
    user = UserFactory.create()
    record(user)
    get_redis_connection().flushdb()

    with running_worker():
        tasks.sweep_totals.delay()
        wait_until(lambda: not DailyTotals.objects.filter(pending=True).exists())


@pytest.mark.django_db(transaction=True)
def test_a_write_is_served_and_counted_while_the_queue_is_away(ada: ApiClient) -> None:
    elsewhere = {"default": {**django_settings.CACHES["default"], "LOCATION": CLOSED_PORT}}
    body = {"transaction_amount": "19.99", "transaction_type": "credit"}
    with override_settings(CACHES=elsewhere):
        answer = ada.post("/transactions", body | {"transaction_date": "2026-01-31"})

        assert answer.status_code == 201
        assert ada.get("/analytics").json()["total_credit"] == "19.99"


@pytest.mark.django_db(transaction=True)
def test_a_write_is_served_when_only_the_publishing_fails(ada: ApiClient) -> None:
    get_redis_connection().set("celery", "no list, so that nothing can be pushed to it")
    body = {"transaction_amount": "19.99", "transaction_type": "credit"}

    answer = ada.post("/transactions", body | {"transaction_date": "2026-01-31"})

    assert answer.status_code == 201
    assert get_redis_connection().type("celery") == b"string"


def test_each_periodic_job_exists() -> None:
    app.loader.import_default_modules()
    names = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}

    assert names <= set(app.tasks)
