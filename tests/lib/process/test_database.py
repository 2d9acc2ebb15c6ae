"""A read with its own bounds: longer than the service's, but finite."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.signals import request_finished, request_started
from django.db import (
    Error,
    InternalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)

from accounts.models import User
from fido.lib.process import database
from fido.lib.process.database import (
    HAS_TRANSACTION_TIMEOUT,
    bounded_read,
    trust_busy_connections,
)
from tests.factories import UserFactory
from tests.races import and_disconnect, wait_until

pytestmark = pytest.mark.django_db(transaction=True)
NAMES = ("transaction_read_only", "idle_in_transaction_session_timeout", "transaction_timeout")


@pytest.fixture(autouse=True)
def _own_connection() -> Iterator[None]:
    yield
    connection.close()


def run(sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def has_transaction_timeout() -> bool:
    return bool(connection.pg_version >= HAS_TRANSACTION_TIMEOUT)  # type: ignore[attr-defined]


@pytest.fixture
def _transactions_are_bounded() -> None:
    if not has_transaction_timeout():
        pytest.skip("this PostgreSQL bounds no transaction as a whole")


def settings_now() -> list[str | None]:
    """None stands for settings that this PostgreSQL does not know."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'current_setting({name!r}, true)' for name in NAMES)}")
        return list(cursor.fetchone())


def test_its_bounds_are_there_while_it_lasts_and_then_no_more() -> None:
    before = settings_now()

    with bounded_read(seconds=600, idle_seconds=60):
        during = settings_now()

    whole = "10min" if has_transaction_timeout() else None
    assert (during, settings_now()) == (["on", "1min", whole], before)


def test_within_another_transaction_it_ends_with_its_savepoint() -> None:
    with transaction.atomic():
        before = settings_now()
        with bounded_read(seconds=600, idle_seconds=60):
            pass
        UserFactory.create()
        assert settings_now() == before

    assert User.objects.count() == 1


@pytest.mark.usefixtures("_transactions_are_bounded")
def test_it_may_last_longer_than_the_services_transactions() -> None:
    run("SET transaction_timeout = '100ms'")

    with bounded_read(seconds=60, idle_seconds=60):
        run("SELECT pg_sleep(0.2)")


@pytest.mark.usefixtures("_transactions_are_bounded")
def test_it_may_not_last_longer_than_its_own_bound() -> None:
    with (
        pytest.raises(Error, match="transaction timeout"),
        bounded_read(seconds=1, idle_seconds=60),
    ):
        run("SELECT pg_sleep(60)")

    assert settings_now()[0] == "off"  # on a new connection


def test_it_ends_when_nothing_is_asked_in_it() -> None:
    with (
        pytest.raises(Error, match="idle-in-transaction timeout"),
        bounded_read(seconds=60, idle_seconds=1),
    ):
        idle_until_cut_off()


def idle_until_cut_off() -> None:
    pid = connection.connection.info.backend_pid
    with ThreadPoolExecutor(1) as pool:
        pool.submit(and_disconnect, lambda: wait_until(lambda: has_gone(pid))).result()
    run("SELECT 1")


def has_gone(backend_pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", [backend_pid])
        return bool(cursor.fetchone() == (0,))


def test_nothing_can_be_written_in_it() -> None:
    with (
        pytest.raises(InternalError, match="read-only"),
        bounded_read(seconds=60, idle_seconds=60),
    ):
        UserFactory.create()

    assert not User.objects.exists()


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that the connection is asked whether it works."""
    asked = list[str]()
    wrapper = connections["default"]
    is_usable = wrapper.is_usable

    def counted() -> bool:
        asked.append("SELECT 1")
        return is_usable()

    # Django's test client has moved Django's own receiver behind ours.
    request_started.disconnect(dispatch_uid="fido.trust_if_busy")
    trust_busy_connections()
    request()
    monkeypatch.setattr(wrapper, "is_usable", counted)
    return asked


def request(sql: str = "SELECT 42") -> None:
    request_started.send(sender=None)
    try:
        run(sql)
    finally:
        request_finished.send(sender=None)


def test_a_busy_connection_is_not_asked_whether_it_works(
    checks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 1000)
    request()

    assert checks == []


def test_after_idleness_it_is_and_replaced_if_it_is_broken(
    checks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 0)
    request()
    assert checks == ["SELECT 1"]

    end_connection()
    request()
    assert checks == ["SELECT 1"] * 2


def test_one_that_the_server_has_closed_is_replaced_however_busy(
    checks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 1000)
    end_connection()
    request()

    assert checks == ["SELECT 1"]


def test_after_an_error_it_is_however_busy(
    checks: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "TRUSTED_SECONDS", 1000)
    with pytest.raises(ProgrammingError):
        request("SELECT nothing")
    request()

    assert checks == ["SELECT 1"]


def end_connection() -> None:
    """PostgreSQL ends this thread's connection."""
    pid = connection.connection.info.backend_pid

    def end() -> None:
        run(f"SELECT pg_terminate_backend({pid})")
        wait_until(lambda: has_gone(pid))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(and_disconnect, end).result()
