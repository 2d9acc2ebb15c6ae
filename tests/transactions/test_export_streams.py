"""Exports through a real gunicorn: interruptions are detected, and nothing is held for ever."""

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from fido.lib.process.database import HAS_TRANSACTION_TIMEOUT
from tests.client import ApiClient
from tests.factories import record
from tests.histories import add_copies
from tests.races import DEADLINE_SECONDS, wait_until
from tests.webserver import WebServer, serving

# More than two socket buffers hold, so that a client that stops reading stops the export too.
ROWS, LONG = 10_000, "x" * 1000

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.fixture
def history(ada: ApiClient) -> ApiClient:
    add_copies(record(ada.user, description=LONG), ROWS - 1)  # type: ignore[arg-type]
    return ada


@contextlib.contextmanager
def asked(server: WebServer, client: ApiClient, form: str = "csv") -> Iterator[Any]:
    """A response of which only the first line has been read."""
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_SECONDS)
    # Small, so that little of the file is in transit.
    link.sock = socket.socket()
    link.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.sock.connect(("127.0.0.1", server.port))
    with contextlib.closing(link):
        path = f"/api/v1/transactions/export?format={form}"
        link.request("GET", path, headers={"Authorization": f"Bearer {client.token}"})
        answer = link.getresponse()
        assert answer.status == 200
        answer.readline()
        yield answer


def snapshots() -> list[int]:
    """The connections that are in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE xact_start IS NOT NULL"
            " AND datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return [pid for (pid,) in cursor.fetchall()]


def assert_cut(answer: Any) -> None:
    """Check that the rest does not end like a complete file."""
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        answer.read()


def assert_exports_again(server: WebServer, client: ApiClient, form: str = "csv") -> None:
    """Check that the connection, the slot and the user's turn are free."""
    path = f"/api/v1/transactions/export?format={form}"
    answer = server.request("GET", path, Authorization=f"Bearer {client.token}")
    assert answer.status == 200, answer.content
    assert answer.content.count(LONG.encode()) == ROWS


def ends(server: WebServer) -> list[str]:
    """How the exports ended, according to the log."""
    lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]
    return [line["ended"] for line in lines if line["event"] == "export"]


def test_a_client_that_stops_reading_holds_nothing_for_long(history: ApiClient) -> None:
    with serving(EXPORT_STALL_SECONDS="3") as server, asked(server, history) as answer:
        wait_until(lambda: len(snapshots()) == 1)
        wait_until(lambda: ends(server) != [])

        assert snapshots() == []
        assert_exports_again(server, history)
        assert_cut(answer)


def test_an_export_takes_no_longer_than_it_may(history: ApiClient) -> None:
    if connection.pg_version < HAS_TRANSACTION_TIMEOUT:  # type: ignore[attr-defined]
        pytest.skip("this PostgreSQL bounds no transaction; see EXPORT_STALL_SECONDS for the rest")
    with serving(EXPORT_SECONDS="1") as server:
        with asked(server, history) as answer:
            wait_until(lambda: snapshots() == [])

            assert_cut(answer)
        wait_until(lambda: ends(server) == ["took too long"])


def test_an_export_whose_database_connection_is_cut_breaks_off(
    server: WebServer, history: ApiClient
) -> None:
    for form in ("csv", "ndjson"):
        before = len(ends(server))
        with asked(server, history, form) as answer:
            wait_until(lambda: len(snapshots()) == 1)
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", snapshots())

            assert_cut(answer)
        wait_until(lambda before=before: len(ends(server)) > before)  # type: ignore[misc]
        assert_exports_again(server, history, form)
        broken, again = ends(server)[-2:]
        # What psycopg raises depends on whether it was waiting for an answer.
        assert broken in {"AdminShutdown", "OperationalError"}
        assert again == "whole"
    assert "Traceback" not in server.log()


def test_a_client_that_goes_away_leaves_nothing_behind(
    server: WebServer, history: ApiClient
) -> None:
    before = len(ends(server))
    with asked(server, history):
        wait_until(lambda: len(snapshots()) == 1)
    wait_until(lambda: len(ends(server)) > before)

    assert snapshots() == []
    assert_exports_again(server, history)
    assert ends(server)[-2:] == ["left by the client", "whole"]


def test_a_connection_that_has_brought_a_file_brings_the_next_answer(
    server: WebServer, history: ApiClient
) -> None:
    headers = {"Authorization": f"Bearer {history.token}"}
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_SECONDS)
    with contextlib.closing(link):
        for method, path in (("HEAD", "/export"), ("GET", "/export"), ("GET", "?limit=1")):
            link.request(method, f"/api/v1/transactions{path}", headers=headers)
            answer = link.getresponse()
            assert (answer.status, bool(answer.read())) == (200, method == "GET")


def test_without_a_database_it_is_an_ordinary_refusal(ada: ApiClient) -> None:
    with serving(DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing") as server:
        token = f"Bearer {ada.token}"
        answer = server.request("GET", "/api/v1/transactions/export", Authorization=token)

    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert json.loads(answer.content)["code"] == "database-unavailable"
