"""When PostgreSQL becomes silent, every kind of wait ends, and the connection with it."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, connections

from fido.lib.process.database import no_limits
from fido.lib.process.postgresql import base
from fido.lib.process.postgresql.base import (
    GRACE_SECONDS,
    BoundedConnection,
    DatabaseWrapper,
    ServerSilent,
)
from fido.lib.process.statements import rows_of
from tests.cut_line import Line, laid
from tests.races import DEADLINE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
Connected = BoundedConnection
# Only silence lasts longer, however slow the machine is: nothing here is waited for otherwise.
WAIT_SECONDS = 0.5
# Nothing listens on port 1.
NOWHERE = "postgres://nobody:secret@127.0.0.1:1/nothing"
# More than the buffers of the sockets on the way can take.
ROW = b"x" * 1_000_000 + b"\n"


@pytest.fixture
def line() -> Iterator[Line]:
    with laid() as line:
        yield line


@pytest.fixture
def connected(line: Line) -> Iterator[Connected]:
    with BoundedConnection.connect(line.url) as connected:
        connected.execute("CREATE TEMPORARY TABLE words (word text)")
        yield connected


def fetch(connected: Connected, line: Line) -> Callable[[], Any]:
    cursor = connected.cursor("rows")
    cursor.execute("SELECT generate_series(1, 10000)")
    cursor.fetchmany(10)
    return lambda: cursor.fetchmany(10)


def copy_in(connected: Connected, line: Line) -> Callable[[], Any]:
    def finish() -> None:
        with connected.cursor().copy("COPY words FROM STDIN") as lines:
            line.silence()
            lines.write(ROW)

    return finish


def copy_out(connected: Connected, line: Line) -> Callable[[], Any]:
    sql = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000)) TO STDOUT"

    def read() -> None:
        with connected.cursor().copy(sql) as lines:
            line.silence()
            for _ in lines:
                pass

    return read


def stream(connected: Connected, line: Line) -> Callable[[], Any]:
    rows = connected.cursor().stream("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")
    next(rows)
    return lambda: list(rows)


def many(connected: Connected, line: Line) -> Callable[[], Any]:
    sql = "INSERT INTO words VALUES (%s)"
    return lambda: connected.cursor().executemany(sql, [("a",), ("b",)])


def pipeline(connected: Connected, line: Line) -> Callable[[], Any]:
    def send() -> None:
        with connected.pipeline():
            connected.execute("SELECT 1")

    return send


def statement(connected: Connected, line: Line) -> Callable[[], Any]:
    return lambda: connected.execute("SELECT 1")


Prepare = Callable[[Connected, Line], Callable[[], Any]]
WAITS: dict[str, Prepare] = {
    "a statement": statement,
    "a commit": lambda connected, line: connected.commit,
    "a rollback": lambda connected, line: connected.rollback,
    "a fetch": fetch,
    "COPY to the server": copy_in,
    "COPY from the server": copy_out,
    "a streamed result": stream,
    "many statements": many,
    "a pipeline": pipeline,
}


@pytest.mark.parametrize("prepared", WAITS.values(), ids=WAITS)
def test_it_ends(prepared: Prepare, line: Line, connected: Connected) -> None:
    wait = prepared(connected, line)
    line.silence()
    connected.wait_seconds = WAIT_SECONDS

    with pytest.raises(ServerSilent, match=r"^no answer within \d+\.\d seconds$"):
        wait()

    assert connected.closed


@pytest.mark.parametrize("limit", [3600.0, None])
def test_it_ends_long_before_the_limit_where_the_server_is_not_at_work(
    line: Line, connected: Connected, limit: float | None
) -> None:
    line.silence()
    connected.wait_seconds = limit

    with pytest.raises(ServerSilent):
        connected.execute("SELECT 1")

    assert connected.closed


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(base, "SURE_SECONDS", 0.1)


def test_a_long_statement_is_waited_for(hasty: None, connected: Connected) -> None:
    found = connected.execute("SELECT pg_sleep(1.5), 'done'").fetchone()

    assert found is not None
    assert found[1] == "done"


def test_so_is_one_that_waits_for_a_lock(hasty: None, line: Line, connected: Connected) -> None:
    connected.commit()
    with BoundedConnection.connect(line.url) as other, ThreadPoolExecutor(1) as pool:
        other.execute("SELECT pg_advisory_xact_lock(17)")
        waiting = pool.submit(connected.execute, "SELECT pg_advisory_xact_lock(17)")
        time.sleep(1)
        assert not waiting.done()
        other.commit()
        waiting.result(DEADLINE_SECONDS)

    assert not connected.closed


def test_a_server_that_cannot_be_asked_is_waited_for(
    hasty: None, line: Line, connected: Connected
) -> None:
    line.silence()
    line.database_url = NOWHERE  # for new connections
    connected.wait_seconds = 1.0

    with pytest.raises(ServerSilent):
        connected.execute("SELECT 1")


def test_djangos_connections_wait_a_little_longer_than_the_server_does() -> None:
    connection.ensure_connection()

    assert isinstance(connections["default"], DatabaseWrapper)
    assert connection.connection.wait_seconds == settings.STATEMENT_TIMEOUT_SECONDS + GRACE_SECONDS


@pytest.fixture
def through_line(line: Line) -> Iterator[Any]:
    """Django's own kind of connection, through the proxy."""
    port = line.url.rpartition("/")[0].rpartition(":")[2]
    other = DatabaseWrapper(connection.settings_dict | {"HOST": "127.0.0.1", "PORT": port})
    other.inc_thread_sharing()
    yield other
    other.close()


def test_an_idle_connection_that_is_silent_is_replaced(through_line: Any, line: Line) -> None:
    with through_line.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        before = cursor.fetchone()
    through_line.close_if_unusable_or_obsolete()  # between two requests
    line.silence()

    with through_line.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        assert cursor.fetchone() != before


def test_binary_rows_are_waited_for_in_the_same_way() -> None:
    connection.ensure_connection()
    connection.connection.wait_seconds = 0.1
    with pytest.raises(OperationalError) as silent:
        rows_of("SELECT pg_sleep(1)", [])

    assert isinstance(silent.value.__cause__, ServerSilent)
    connection.close()


def test_a_command_may_take_its_time() -> None:
    with connection.cursor() as cursor:
        connection.connection.wait_seconds = 0.1
        with no_limits():
            cursor.execute("SELECT pg_sleep(0.5)")

        assert connection.connection.wait_seconds == 0.1
    connection.close()


def test_an_error_of_the_server_leaves_the_connection(connected: Connected) -> None:
    connected.wait_seconds = 300
    with pytest.raises(psycopg.errors.DivisionByZero):
        connected.execute("SELECT 1/0")
    connected.rollback()

    assert connected.execute("SELECT 1").fetchone() == (1,)
