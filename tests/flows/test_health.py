"""Liveness and readiness, with all servers available and without."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from fido import health
from tests.client import ApiClient
from tests.cut_line import laid
from tests.webserver import WebServer, serving

# Nothing listens on port 1.
NO_DATABASE = "postgres://nobody:secret-word@127.0.0.1:1/nothing"
NO_REDIS = "redis://:secret-word@127.0.0.1:1/0"

# Without a test that requests it there would be no test database.
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def without_database(django_db_setup: None) -> Iterator[WebServer]:
    with serving(DATABASE_URL=NO_DATABASE) as server:
        yield server


@pytest.fixture(scope="module")
def without_redis(django_db_setup: None) -> Iterator[WebServer]:
    with serving(REDIS_URL=NO_REDIS) as server:
        yield server


def test_with_everything_there_it_is_ready(db: None) -> None:
    answer = Client().get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {
        "status": "ok",
        "checks": {"database": "ok", "redis": "ok", "migrations": "ok"},
    }


def test_it_lives_without_asking_anybody(
    without_database: WebServer, without_redis: WebServer
) -> None:
    for server in (without_database, without_redis):
        assert server.request("GET", "/livez").status == 200


def test_with_the_database_away_it_is_not_ready(without_database: WebServer) -> None:
    answer = without_database.request("GET", "/readyz")

    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert b'"database": "OperationalError", "redis": "ok"' in answer.content
    assert b"secret-word" not in answer.content


def test_with_redis_away_it_is_not_ready(without_redis: WebServer) -> None:
    answer = without_redis.request("GET", "/readyz")

    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert b'"database": "ok", "redis": "ConnectionError"' in answer.content
    assert b"secret-word" not in answer.content


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_health_is_only_read(method: str) -> None:
    for path in ("/livez", "/readyz"):
        assert Client().generic(method, path).status_code == 405


def test_with_the_database_away_a_request_is_told_to_come_back(
    ada: ApiClient, without_database: WebServer
) -> None:
    token = f"Bearer {ada.token}"
    for path in ("/api/v1/users/me", "/api/v1/transactions", "/api/v1/analytics"):
        answer = without_database.request("GET", path, Authorization=token)

        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert b'"code": "database-unavailable"' in answer.content


def test_with_redis_away_requests_are_served(without_redis: WebServer) -> None:
    body = b'{"username": "nobody", "password": "x"}'
    answer = without_redis.request(
        "POST", "/api/v1/auth/login", body, Content_Type="application/json"
    )

    assert answer.status == 401
    assert b'"code": "invalid-credentials"' in answer.content


@pytest.mark.django_db(transaction=True)
def test_with_a_server_that_only_reads_it_is_not_ready() -> None:
    name = f'"{connection.settings_dict["NAME"]}"'
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        try:
            with serving() as server:
                answer = server.request("GET", "/readyz")
        finally:
            cursor.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")

    assert answer.status == 503
    assert b'"database": "read-only", "redis": "ok"' in answer.content


@pytest.mark.django_db(transaction=True)
def test_a_server_that_becomes_silent_does_not_keep_probes_waiting() -> None:
    with laid() as line, serving(DATABASE_URL=line.url, STATEMENT_TIMEOUT_SECONDS="3600") as server:
        assert server.request("GET", "/readyz").status == 200
        line.silence()

        # The thread trusts its connection if it was busy just now. Otherwise it replaces it first.
        assert server.request("GET", "/readyz").status in {200, 503}
        assert server.request("GET", "/readyz").status == 200


@pytest.mark.django_db(transaction=True)
def test_probes_wait_for_nobodys_lock() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        tables = ", ".join(connection.introspection.table_names(cursor))
        cursor.execute(f"LOCK TABLE {tables} IN EXCLUSIVE MODE")
        with serving("--threads=4") as server, ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: server.request("GET", "/readyz"), range(4)))

    assert [answer.status for answer in answers] == [200] * 4


def test_it_writes_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    def has_written() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
            return bool(cursor.fetchone() == (True,))

    monkeypatch.setattr(health._Written, "at", float("-inf"))
    with transaction.atomic():
        assert not has_written()
        with CaptureQueriesContext(connection) as done:
            assert [Client().get("/readyz").status_code for _ in range(3)] == [200] * 3
        assert has_written()

    assert sum("pg_logical_emit_message" in query["sql"] for query in done) == 1


def test_a_connection_that_was_cut_is_replaced(db: None) -> None:
    with serving() as server:
        for _ in range(2):
            assert server.request("GET", "/readyz").status == 200
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT count(pg_terminate_backend(pid, 30000)) FROM pg_stat_activity"
                    " WHERE application_name = 'fido' AND pid <> pg_backend_pid()"
                    " AND datname = current_database()"
                )
                assert cursor.fetchone()[0] >= 1
