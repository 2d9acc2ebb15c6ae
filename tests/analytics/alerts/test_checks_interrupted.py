"""Checks that are broken off, or that several workers come to: each transaction is checked once."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django_redis import get_redis_connection

from analytics.alerts import operations, tasks
from analytics.alerts.models import Alert, PendingCheck
from analytics.alerts.queries import Recorded
from tests.alerts import (
    alerts_of,
    body,
    check_all,
    codes,
    naively,
    stream,
)
from tests.client import ApiClient
from tests.imports import csv, imported
from tests.races import at_once, wait_until
from tests.worker import running_worker

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """As if a process ended in the middle."""


@pytest.mark.parametrize("where", ["_delete", "store"])
@pytest.mark.parametrize("large", [False, True], ids=["few", "many"])
def test_a_check_that_is_broken_off_loses_and_doubles_nothing(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch, where: str, large: bool, small_steps: None
) -> None:
    assert ada.user
    imported(ada, csv(*["2026-01-31,100.01,debit"] * (20 if large else 2)))
    step: Callable[..., Any] = getattr(operations, where)

    def broken(*args: Any) -> None:
        step(*args)
        raise Killed

    for _ in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(operations, where, broken)
            with pytest.raises(Killed):
                check_all(ada.user)
    check_all(ada.user)

    assert alerts_of(ada.user) == naively(ada.user)


def test_two_workers_on_one_user_take_turns(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ada.user
    user, checked = ada.user, list[Any]()
    imported(ada, csv(*["2026-01-31,100.01,debit"] * 60))
    alerts = operations.alerts_of

    def watched(rows: list[Recorded], rules: Any) -> Any:
        checked.extend(row.event.id for row in rows)
        return alerts(rows, rules)

    monkeypatch.setattr(operations, "alerts_of", watched)

    at_once(*[lambda: check_all(user)] * 4)

    assert len(checked) == 60
    assert alerts_of(user) == naively(user)


def test_a_worker_that_is_killed_is_taken_over_from(ada: ApiClient) -> None:
    assert ada.user
    imported(ada, csv(*["2026-01-31,100.01,debit"] * 12_000))
    with running_worker() as worker:
        wait_until(lambda: Alert.objects.filter(user_id=ada.user_id).exists() or not_begun())
        worker.kill()
        get_redis_connection().flushdb()  # the queued jobs are lost with it
        worker.start()
        tasks.sweep_checks.delay()
        wait_until(lambda: not PendingCheck.objects.filter(user_id=ada.user_id).exists())

    assert codes(ada.user) == [*[30] * 11_998, *[1100] * 12_000]


def not_begun() -> bool:
    """Whether the job has left the queue, so a worker runs it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM alerts_checkturn")
        return bool(cursor.fetchone()[0])


def test_a_worker_checks_what_was_written(ada: ApiClient) -> None:
    with running_worker():
        for expected in (1, 2):
            ada.post("/transactions", body(stream("-100.01@0")[0]))
            wait_until(
                lambda: Alert.objects.filter(user_id=ada.user_id).count() == expected  # noqa: B023
            )
