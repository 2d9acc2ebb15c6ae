"""Which statements PostgreSQL remembers for a connection."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from fido.lib.process.prepared import repeated
from fido.lib.process.statements import rows_of
from tests.client import ApiClient

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {
    "transaction_amount": "12.34",
    "transaction_type": "credit",
    "transaction_date": "2026-01-31T12:00:00Z",
    "currency": "USD",
}


@pytest.fixture(autouse=True)
def new_connection(db: None) -> Iterator[None]:
    connection.close()
    yield
    connection.close()


def remembered() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")
        return [text for (text,) in cursor.fetchall()]


def executed(sql: str, value: int | None) -> int | None:
    with repeated() as cursor:
        cursor.execute(sql, [value])
        found: int | None = cursor.fetchone()[0]
    return found


def test_a_statement_is_remembered_when_it_comes_again() -> None:
    assert executed("SELECT %s::bigint", 1) == 1
    assert remembered() == []

    assert executed("SELECT %s::bigint", 2) == 2
    assert remembered() == ["SELECT $1::bigint"]
    assert executed("SELECT %s::bigint", 3) == 3


def test_a_log_of_statements_has_each_one() -> None:
    with CaptureQueriesContext(connection) as sent:
        for value in range(3):
            executed("SELECT %s::bigint", value)

    assert [query["sql"] for query in sent] == ["SELECT $1::bigint", *["SELECT %s::bigint"] * 2]


def test_a_rollback_forgets_nothing_that_is_still_needed() -> None:
    values = [executed("SELECT %s::bigint", n) for n in range(3)]
    connection.connection.execute("BEGIN")
    connection.connection.rollback()

    assert [*values, executed("SELECT %s::bigint", 3)] == [0, 1, 2, 3]


def test_what_reads_a_history_is_planned_for_its_values() -> None:
    for value in range(8):
        assert rows_of("SELECT %s::bigint", [value]) == [(value,)]

    assert remembered() == []


def test_a_create_is_two_statements_that_are_remembered(ada: ApiClient) -> None:
    for _ in range(3):
        assert ada.post("/transactions", BODY).status_code == 201

    tables = ["accounts_user", "transactions_transaction"]
    assert [[name in text for text in remembered()].count(True) for name in tables] == [1, 1]


def test_an_old_pooler_may_be_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"]["OPTIONS"], "prepare_threshold", None)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "prepare_threshold", None)

    for value in range(8):
        assert executed("SELECT %s::bigint", value) == value

    assert remembered() == []
