"""A database that needs its time for each row: long checks go on, and no step is undone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.backends.signals import connection_created

from accounts.models import User
from analytics.alerts import operations, turns
from analytics.alerts.models import Alert, PendingCheck, Rule
from analytics.alerts.operations import Left
from fido.lib.process.database import HAS_TRANSACTION_TIMEOUT, took_too_long
from tests.client import ApiClient
from tests.imports import csv, imported

pytestmark = pytest.mark.django_db(transaction=True)
# The service's limits, at a tenth of their length: a transaction of 30 seconds, a step of 5.
TRANSACTION_SECONDS, STEP_SECONDS = 3, 0.5
# For all of it, in seconds.
PATIENCE = 1200


@pytest.fixture(autouse=True)
def _short_limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if connection.pg_version < HAS_TRANSACTION_TIMEOUT:  # type: ignore[attr-defined]
        pytest.skip("this PostgreSQL bounds no transaction as a whole")
    monkeypatch.setattr(operations, "STEP_SECONDS", STEP_SECONDS)
    monkeypatch.setattr(turns, "_rows_at_once", {})
    Rule.objects.exclude(code=1100).update(enabled=False)
    yield
    connection.close()


@contextmanager
def slow(seconds_a_row: float) -> Iterator[None]:
    """PostgreSQL takes that long for each row that it finds or writes, and its limits apply."""

    def delayed(execute: Callable[..., Any], *statement: Any) -> Any:
        found = execute(*statement)
        rows = max(statement[-1]["cursor"].rowcount, 0)
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(%s)", [rows * seconds_a_row])
        return found

    def limited(connection: Any, **kwargs: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET transaction_timeout = '{TRANSACTION_SECONDS}s'")

    connection_created.connect(limited)
    try:
        connection.close()
        with connection.execute_wrapper(delayed):
            yield
    finally:
        connection_created.disconnect(limited)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """The size of each step, and whether it was undone."""
    made = list[tuple[int, bool]]()
    check_some = operations.check_some

    def step(user_id: int, *, rows_at_once: int) -> Left:
        try:
            left = check_some(user_id, rows_at_once=rows_at_once)
        except DatabaseError as error:
            made.append((rows_at_once, took_too_long(error)))
            raise
        made.append((rows_at_once, False))
        return left

    monkeypatch.setattr(operations, "check_some", step)
    return made


def importer(rows: int, client: ApiClient) -> User:
    imported(client, csv(*["2026-01-31,101,debit"] * rows))
    assert client.user
    return client.user


@pytest.mark.parametrize("rows", [12_000, pytest.param(300_000, marks=pytest.mark.storm)])
def test_a_long_import_is_checked_to_the_end_without_an_undone_step(
    ada: ApiClient, steps: list[tuple[int, bool]], rows: int
) -> None:
    user = importer(rows, ada)

    with slow(seconds_a_row=0.0002):  # 12,000 rows, read and raised, take 5 s
        assert not turns.check_everybody(seconds=PATIENCE)

    assert len(steps) > 2
    assert not any(undone for _, undone in steps)
    assert Alert.objects.filter(user=user).count() == rows
    assert not PendingCheck.objects.exists()


def test_a_step_that_takes_too_long_is_tried_again_with_half_the_rows(
    ada: ApiClient, steps: list[tuple[int, bool]], caplog: pytest.LogCaptureFixture
) -> None:
    user = importer(1_500, ada)

    with slow(seconds_a_row=0.002):
        assert not turns.check_everybody(seconds=PATIENCE)

    assert steps[:2] == [(1_000, True), (500, steps[1][1])]
    assert steps[-1][1] is False
    assert "1000 rows of user" in caplog.text
    assert Alert.objects.filter(user=user).count() == 1_500
    assert not PendingCheck.objects.exists()
    assert turns._rows_at_once == {user.pk: steps[-1][0]}
