"""What waits in PostgreSQL is counted up to a limit, and its age is that of the oldest."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from math import inf
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import User
from accounts.rates.models import PublishedTable, SyncState
from analytics import operations
from analytics.alerts.models import Alert, Delivery, PendingCheck, Rule, WebhookEndpoint
from analytics.models import DailyTotals
from fido.gauges import database
from fido.lib.values import clock
from fido.lib.values.ids import new_id
from tests.alerts import add_default_rules, check_all
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.gauges import gauges
from tests.imports import csv, submitted
from tests.races import DEADLINE_SECONDS
from tests.worker import url_of_test_database
from transactions.imports.models import Import

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)
# As precise as on the slowest machine.
AN_HOUR = pytest.approx(3600, abs=DEADLINE_SECONDS)


@pytest.fixture
def owner() -> User:
    return UserFactory.create()


def made(ago: timedelta) -> UUID:
    """An id as it was made then."""
    milliseconds = int((clock.now() - ago).timestamp() * 1000)
    return UUID(int=milliseconds << 80 | new_id().int % 2**80)


def totals(owner: User, *, pending: bool, ago: timedelta = HOUR) -> DailyTotals:
    sums: dict[str, Any] = {"count": 1, "credit": 1, "debit": 0, "pending": pending}
    day = clock.now().date()
    return DailyTotals.objects.create(id=made(ago), user=owner, day=day, currency="USD", **sums)


def test_where_nothing_waits_all_is_zero(owner: User) -> None:
    found = gauges()

    waiting = [name for name in found if name.startswith("pending_")]
    assert {found[name] for name in waiting} == {0}
    assert len(waiting) == 4
    assert {value for name, value in found.items() if name.startswith("gauges_read")} == {1}
    assert [found[f"imports {state}"] for state in ("queued", "running", "stuck")] == [0, 0, 0]


def test_totals_wait_until_they_are_folded(owner: User) -> None:
    totals(owner, pending=False, ago=2 * HOUR)
    totals(owner, pending=True)
    record(owner)

    found = gauges()
    assert found["pending_totals"] == 2
    assert found["pending_totals_oldest_seconds"] == AN_HOUR

    operations.fold_everybody()
    found = gauges()
    assert (found["pending_totals"], found["pending_totals_oldest_seconds"]) == (0, 0)


def test_checks_wait_until_they_are_done(owner: User) -> None:
    add_default_rules()
    first, _ = record(owner), record(owner)
    PendingCheck.objects.filter(first=first.pk).update(created_at=clock.now() - HOUR)

    found = gauges()
    assert found["pending_checks"] == 2
    assert found["pending_checks_oldest_seconds"] == AN_HOUR

    check_all(owner)
    found = gauges()
    assert (found["pending_checks"], found["pending_checks_oldest_seconds"]) == (0, 0)


def test_no_more_are_counted_than_tell_that_there_are_many(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MOST_COUNTED", 2)
    for _ in range(5):
        record(owner)

    found = gauges()

    assert (found["pending_totals"], found["pending_checks"]) == (3, 3)


class TestDeliveries:
    @pytest.fixture
    def alert(self, owner: User) -> Alert:
        rule = Rule.objects.create(code=7, kind="velocity")
        now, row = clock.now(), record(owner)
        return Alert.objects.create(user=owner, rule=rule, code=7, transaction_id=row.pk, time=now)

    def add(self, alert: Alert, *, due_in: timedelta, **fields: Any) -> str:
        endpoint = WebhookEndpoint.objects.create(
            url="https://example.org", enabled=fields.pop("enabled", True)
        )
        now = clock.now()
        Delivery.objects.create(
            user_id=alert.user_id,
            alert=alert,
            endpoint=endpoint,
            due_at=now + due_in,
            created_at=now - HOUR,
            gives_up_at=now + HOUR,
            **fields,
        )
        return str(endpoint.pk)

    def test_each_endpoint_has_its_own(self, alert: Alert) -> None:
        late = self.add(alert, due_in=-HOUR)
        retried = self.add(alert, due_in=HOUR)
        done = self.add(alert, due_in=-HOUR, status="delivered")
        off = self.add(alert, due_in=-HOUR, enabled=False)

        found = gauges()

        names = ("", "_oldest_seconds", "_overdue_seconds")
        assert {
            endpoint: [found.get(f"pending_deliveries{name} {endpoint}") for name in names]
            for endpoint in (late, retried, done, off)
        } == {
            late: [1, AN_HOUR, AN_HOUR],
            retried: [1, AN_HOUR, 0],
            done: [0, 0, 0],
            off: [None, None, None],
        }

    def test_an_endpoint_that_is_off_hides_no_other(
        self, alert: Alert, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database, "MOST_COUNTED", 0)
        self.add(alert, due_in=-2 * HOUR, enabled=False)
        late = self.add(alert, due_in=-HOUR)

        assert gauges()[f"pending_deliveries {late}"] == 1


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "queued"),
        ({"created_at": -HOUR}, "stuck"),
        ({"created_at": -HOUR, "leased_until": HOUR, "status": "running"}, "running"),
        ({"leased_until": -HOUR, "status": "running"}, "stuck"),
        ({"created_at": -HOUR, "leased_until": -HOUR, "status": "done"}, None),
    ],
)
def test_an_import_without_progress_is_stuck(
    ada: ApiClient, fields: dict[str, Any], state: str | None, settings: Any, tmp_path: Any
) -> None:
    settings.IMPORTS_DIR = str(tmp_path)
    row, now = submitted(ada, csv("2026-01-31,1,credit")), clock.now()
    moved = {
        name: now + value if isinstance(value, timedelta) else value
        for name, value in fields.items()
    }
    Import.objects.filter(pk=row.pk).update(**moved)

    found = gauges()

    counts = {name: found[f"imports {name}"] for name in ("queued", "running", "stuck")}
    assert counts == {"queued": 0, "running": 0, "stuck": 0} | ({state: 1} if state else {})


class TestRates:
    @pytest.fixture(autouse=True)
    def _bank(self, settings: Any) -> None:
        settings.RATES_URL, settings.RATES_STALE_HOURS = "http://localhost:1", 96

    def rates(self) -> dict[str, float]:
        return {name: value for name, value in gauges().items() if name.startswith("rates_")}

    def test_before_the_first_ones_they_are_as_old_as_can_be(self) -> None:
        assert self.rates() == {
            "rates_age_seconds": inf,
            "rates_stale_after_seconds": 96 * 3600,
            "rates_refused_seconds none": 0,
        }

    def test_their_age_is_that_of_the_newest_mid_rates_since_their_day(self) -> None:
        for letter, days in (("A", 9), ("A", 3), ("C", 0)):
            day = clock.now().date() - timedelta(days=days)
            PublishedTable.objects.create(letter=letter, effective_date=day, prices={})

        today = clock.now() - clock.midnight(clock.now().date())
        expected = (timedelta(days=2) + today).total_seconds()
        assert self.rates()["rates_age_seconds"] == pytest.approx(expected, abs=DEADLINE_SECONDS)

    def test_a_refusal_shows_its_reason_and_how_long_it_lasts(self) -> None:
        since = clock.now() - HOUR
        SyncState.objects.create(
            refusal="moved-too-far", detail="USD: planted", refused_since=since
        )

        found = self.rates()

        assert found["rates_refused_seconds moved-too-far"] == AN_HOUR
        assert "rates_refused_seconds none" not in found

    def test_without_a_bank_there_are_none(self, settings: Any) -> None:
        settings.RATES_URL = None
        assert self.rates() == {}


# Within a transaction PostgreSQL shows the connections that it had at first.
@pytest.mark.django_db(transaction=True)
def test_connections_are_told_by_whose_they_are() -> None:
    url = url_of_test_database()
    before = gauges()
    with (
        psycopg.connect(url, application_name="other"),
        psycopg.connect(url, application_name="fido"),
    ):
        found = gauges()

    # Other tests may connect or leave meanwhile.
    assert before["database_connections fido"] >= 1
    assert found["database_connections fido"] >= 2
    assert found["database_connections others"] >= 1
    assert found["database_connections_max"] >= 90


def test_a_job_that_is_switched_off_has_no_interval() -> None:
    often = IntervalSchedule.objects.create(every=2, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.create(name="a", task="rates.sync", interval=often)
    PeriodicTask.objects.create(name="b", task="alerts.check", interval=often)
    PeriodicTask.objects.create(name="c", task="alerts.sweep_checks", interval=often, enabled=False)

    found = {name: value for name, value in gauges().items() if name.startswith("periodic_")}

    assert found == {"periodic_interval_seconds rates.sync": 120}


@contextmanager
def locked(table: str) -> Iterator[None]:
    """As by a migration."""
    with psycopg.connect(url_of_test_database()) as other:
        other.execute(f"LOCK TABLE {table}")
        yield
        other.rollback()


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_read_in_time_takes_nothing_else_with_it(
    owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STATEMENT_MILLISECONDS", 1000)
    with locked("analytics_dailytotals"):
        found = gauges()

    assert found["gauges_read totals postgresql"] == 0
    assert "pending_totals" not in found
    others = [name for name in found if name.startswith("gauges_read")]
    assert sum(found[name] for name in others) == len(others) - 1 == 9
    assert found["pending_checks"] == 0
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("30s",)  # of the requests that come later


def test_nobody_who_scrapes_writes() -> None:
    seen = list[str]()

    def look(execute: Any, sql: str, *args: Any) -> Any:
        seen.append(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(look):
        gauges()

    assert [sql for sql in seen if "INSERT" in sql or "UPDATE" in sql or "DELETE" in sql] == []
    assert len(seen) < 30
    assert "transaction_read_only" in " ".join(seen)


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (database.TOTALS, "totals_pending"),
        (database.CHECKS, "alerts_pendingcheck_pkey"),
        (database.DELIVERIES, "deliveries_due"),
        (database.IMPORTS, "imports_not_ended"),
    ],
)
def test_what_waits_is_found_by_an_index(owner: User, sql: str, index: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(database.LIMITS, ["0"])
        bounds: Any = {"most": 10, "stuck": HOUR}
        cursor.execute(f"EXPLAIN {sql}", bounds)
        plan = "\n".join(line for (line,) in cursor.fetchall())

    assert index in plan
