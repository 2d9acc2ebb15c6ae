"""Statements that are read without models."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from django.core.exceptions import EmptyResultSet
from django.db import DataError, connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from fido.lib.process.statements import condition_of, rows_of
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def test_values_are_read_exactly() -> None:
    sql = """
    SELECT %(amount)s::numeric, %(at)s::timestamptz, %(day)s::date, %(id)s::uuid, %(token)s::bytea,
           %(text)s::text, %(number)s::bigint, NULL
    """
    values = {
        "amount": Decimal("12345678901234567890123456789012345.6789"),
        "at": datetime(1, 1, 1, 12, 30, 15, 1, tzinfo=UTC),
        "day": date(9999, 12, 31),
        "id": UUID(int=2**128 - 1),
        "token": b"\x00gAAAA",
        "text": "100 % J\u00fcrgen",
        "number": 2**62,
    }

    assert rows_of(sql, values) == [(*values.values(), None)]
    ((at,),) = rows_of("SELECT timestamptz '2026-01-31T12:00+05:30'", {})
    assert at.isoformat() == "2026-01-31T06:30:00+00:00"


def test_no_rows_are_an_empty_list() -> None:
    assert rows_of("SELECT 1 WHERE %(never)s", {"never": False}) == []


def test_it_raises_djangos_exceptions_and_its_log_has_no_values() -> None:
    with CaptureQueriesContext(connection) as asked, pytest.raises(DataError):
        rows_of("SELECT 1 / %(zero)s::int", {"zero": 0})

    assert [query["sql"] for query in asked] == ["SELECT 1 / $1::int"]


def test_the_condition_of_a_queryset_finds_its_rows() -> None:
    users = [UserFactory.create(username=name) for name in ("ada", "ben", "cleo")]
    found = User.objects.filter(pk__gte=users[0].pk).exclude(username="ben")

    condition, parameters = condition_of(found)
    sql = f"SELECT username FROM accounts_user WHERE {condition} ORDER BY id"

    assert rows_of(sql, parameters) == [("ada",), ("cleo",)]


def test_a_queryset_of_everything_or_nothing_has_no_condition_to_speak_of() -> None:
    assert condition_of(User.objects.all()) == ("true", ())
    with pytest.raises(EmptyResultSet):
        condition_of(User.objects.filter(pk__in=[]))
