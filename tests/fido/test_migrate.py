"""`manage.py migrate` beside a reader that keeps a table locked."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from fido.management.commands import migrate
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE = "0003_history_by_currency_and_type"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.0)
    yield
    call_command("migrate", "transactions", verbosity=0)


@contextmanager
def reading() -> Iterator[Any]:
    """A long reader of the table that is to be altered."""
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM transactions_transaction")
    yield other
    other.close()


class Watched(StringIO):
    """What the command says; at the first line, the reader ends."""

    def __init__(self, reader: Any) -> None:
        super().__init__()
        self.reader = reader

    def write(self, text: str) -> int:
        self.reader.rollback()
        return super().write(text)


def has_category() -> bool:
    with connection.cursor() as cursor:
        names = connection.introspection.get_table_description(cursor, "transactions_transaction")
    return "category" in {column.name for column in names}


def test_it_lets_others_through_and_tries_again() -> None:
    with reading() as reader:
        said = Watched(reader)
        call_command("migrate", "transactions", BEFORE, verbosity=0, stderr=said)

    assert "Trying again" in said.getvalue()
    assert not has_category()


def test_it_gives_up_and_has_done_nothing_by_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "TRIES", 2)
    said = StringIO()
    with reading(), pytest.raises(CommandError, match="Nothing is half done"):
        call_command("migrate", "transactions", BEFORE, verbosity=0, stderr=said)

    assert said.getvalue().count("Trying again") == 1
    assert has_category()


def test_a_statement_may_take_as_long_as_it_needs(settings: Any) -> None:
    seen = []

    def watched(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "DROP COLUMN" in sql:
            with connection.connection.cursor() as cursor:
                limit = "current_setting('statement_timeout'), current_setting('lock_timeout')"
                seen.append(cursor.execute(f"SELECT {limit}").fetchone())
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watched):
        call_command("migrate", "transactions", BEFORE, verbosity=0)

    assert set(seen) == {("0", "1s")}
    assert UserFactory.create().pk  # the connection's own limits are back
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() != ("0",)
