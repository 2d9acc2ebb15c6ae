"""An error of the database is counted by kind, and logged by class and SQLSTATE alone."""

import psycopg
import pytest
from django.db import DatabaseError, connection
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from fido.lib.process.database_errors import kind_of, report
from fido.lib.process.postgresql.base import ServerSilent

pytestmark = pytest.mark.django_db(transaction=True)
RAISE = "DO $$ BEGIN RAISE EXCEPTION 'Jane Doe' USING ERRCODE = '{}'; END $$"
STATES = {
    "53100": "disk-full",
    "53300": "too-many-connections",
    "55P03": "lock-timeout",
    "57014": "statement-timeout",
    "25006": "read-only",
    "25P04": "transaction-timeout",
    "40P01": "deadlock",
    "40001": "conflict",
    "57P01": "lost",
    "57P03": "lost",
    "08006": "lost",
    "53200": "other",
}


def raised(sql: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as error, connection.cursor() as cursor:
        cursor.execute(sql)
    return error.value


@pytest.mark.parametrize(("sqlstate", "kind"), STATES.items())
def test_its_kind_is_that_of_its_sqlstate(sqlstate: str, kind: str) -> None:
    assert kind_of(raised(RAISE.format(sqlstate))) == kind


def test_a_connection_that_is_refused_is_lost() -> None:
    with pytest.raises(psycopg.OperationalError) as error:
        psycopg.connect("host=127.0.0.1 port=1 connect_timeout=1")

    assert kind_of(error.value) == "lost"


def test_a_connection_for_which_there_is_no_room_is_told_apart() -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE nobody_else LOGIN PASSWORD 'x' CONNECTION LIMIT 0")
        try:
            given = connection.get_connection_params()
            to = {name: given[name] for name in ("host", "port", "dbname")}
            with pytest.raises(psycopg.OperationalError) as error:
                psycopg.connect(**to, user="nobody_else", password="x")
        finally:
            cursor.execute("DROP ROLE nobody_else")

    assert kind_of(error.value) == "too-many-connections"


def test_silence_is_a_kind_of_its_own() -> None:
    assert kind_of(ServerSilent("no answer")) == "silent"


def test_the_log_has_its_class_and_sqlstate_and_not_its_message() -> None:
    def counted() -> float:
        return REGISTRY.get_sample_value("fido_database_errors_total", {"kind": "disk-full"}) or 0

    before = counted()
    with capture_logs() as lines:
        report(raised(RAISE.format("53100")))

    (line,) = lines
    assert line == {
        "event": "A database error.",
        "log_level": "error",
        "kind": "disk-full",
        "error": "DiskFull",
        "sqlstate": "53100",
    }
    assert counted() == before + 1
