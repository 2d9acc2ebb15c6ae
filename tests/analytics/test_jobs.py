"""The stats job: queued once, run by a real worker, and never blocking a write."""

from decimal import Decimal

import pytest
from django.conf import settings as django_settings
from django.test import override_settings
from django_redis import get_redis_connection

from analytics import tasks
from analytics.alerts import tasks as alerts
from analytics.alerts.models import Alert, PendingCheck
from analytics.models import DailyTotals
from fido.celery import app
from tests.alerts import add_default_rules
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.queue import waiting
from tests.races import wait_until
from tests.worker import running_worker

CLOSED_PORT = "redis://127.0.0.1:1/0"


@pytest.mark.django_db(transaction=True)
def test_many_writes_queue_one_job_of_a_kind_for_everybody() -> None:
    users = UserFactory.create_batch(4)

    for _ in range(5):
        for user in users:
            record(user)

    # The totals are folded, and the transactions checked for alerts.
    assert waiting() == 2


@pytest.mark.django_db(transaction=True)
def test_writes_of_many_users_are_folded_and_checked_by_two_jobs() -> None:
    add_default_rules()
    users = UserFactory.create_batch(64)
    for user in users:
        record(user, transaction_type="debit", transaction_amount=Decimal(101))
    assert waiting() == 2

    with running_worker():
        wait_until(lambda: not DailyTotals.objects.filter(pending=True).exists())
        wait_until(lambda: not PendingCheck.objects.exists())

    assert Alert.objects.count() == 64
    assert waiting() == 0


@pytest.mark.django_db(transaction=True)
def test_a_job_that_died_delays_others_by_seconds() -> None:
    user, redis = UserFactory.create(), get_redis_connection()
    record(user)
    redis.delete("totals", "alerts")  # the jobs are gone, their marks are not
    marks = redis.keys("fido:*-waiting")

    record(user)

    assert waiting() == 0
    assert len(marks) == 2
    assert all(0 < redis.ttl(mark) <= 30 for mark in marks)
    redis.delete(*marks)  # as when they have lapsed
    record(user)
    assert waiting() == 2


@pytest.mark.django_db(transaction=True)
def test_a_job_that_an_earlier_release_queued_for_one_user_is_done() -> None:
    user = UserFactory.create()
    record(user, transaction_type="debit", transaction_amount=Decimal(101))
    get_redis_connection().flushdb()
    with running_worker():
        for name in ("analytics.fold_totals", "alerts.check"):
            app.send_task(name, (user.pk,), {"new": "argument"})
        wait_until(lambda: not DailyTotals.objects.filter(pending=True).exists())
        wait_until(lambda: not PendingCheck.objects.exists())

    assert DailyTotals.objects.get(user=user).count == 1
    assert Alert.objects.filter(user=user).count() == 1


@pytest.mark.django_db(transaction=True)
def test_sweeps_do_the_work_of_lost_jobs_and_queue_nothing() -> None:
    add_default_rules()
    user, redis = UserFactory.create(), get_redis_connection()
    record(user, transaction_type="debit", transaction_amount=Decimal(101))
    redis.delete("totals", "alerts")  # the jobs are gone, their marks are not

    for _ in range(3):
        for sweep in (tasks.sweep_totals, alerts.sweep_checks, alerts.sweep_deliveries):
            sweep()

    assert not DailyTotals.objects.filter(pending=True).exists()
    assert Alert.objects.filter(user=user).count() == 1
    assert waiting() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("redis_away")
def test_jobs_do_their_work_while_redis_is_away() -> None:
    add_default_rules()
    user = UserFactory.create()
    record(user, transaction_type="debit", transaction_amount=Decimal(101))

    tasks.fold_totals()
    alerts.check()
    alerts.deliver()

    assert not DailyTotals.objects.filter(pending=True).exists()
    assert Alert.objects.filter(user=user).count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_rolled_back_write_queues_nothing(ada: ApiClient) -> None:
    body = {"transaction_amount": "0.001", "transaction_type": "credit"}
    assert ada.post("/transactions", body | {"transaction_date": "2026-01-31"}).status_code == 400

    assert waiting() == 0


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

    assert DailyTotals.objects.get(user=user).count == 1


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
    get_redis_connection().set("totals", "no list, so that nothing can be pushed to it")
    body = {"transaction_amount": "19.99", "transaction_type": "credit"}

    answer = ada.post("/transactions", body | {"transaction_date": "2026-01-31"})

    assert answer.status_code == 201
    assert get_redis_connection().type("totals") == b"string"


def test_each_periodic_job_exists() -> None:
    app.loader.import_default_modules()
    names = {entry["task"] for entry in django_settings.CELERY_BEAT_SCHEDULE.values()}

    assert names <= set(app.tasks)
