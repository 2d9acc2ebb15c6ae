"""The headline in any currency: at the rates in force, and never at older ones."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from accounts.rates import operations
from tests.bank import TODAY, StubBank, table
from tests.client import ApiClient
from tests.factories import record

pytestmark = pytest.mark.django_db(transaction=True)
NOTHING = {
    "total_credit": None,
    "total_debit": None,
    "average_transaction_value": None,
    "rates_as_of": None,
}


@pytest.fixture
def history(ada: ApiClient) -> ApiClient:
    for currency, kind, amount in (
        ("USD", "credit", "0.10"),
        ("EUR", "credit", "10.00"),
        ("EUR", "debit", "0.07"),
    ):
        record(
            ada.user,  # type: ignore[arg-type]
            currency=currency,
            transaction_type=kind,
            transaction_amount=Decimal(amount),
        )
    return ada


def give(bank: StubBank, **mids: str) -> None:
    bank.gives(A=table("A", **mids))
    operations.sync_now(bank.url, accept=False)


def headline(client: ApiClient, **query: Any) -> dict[str, Any]:
    answer = client.get("/analytics", **query)
    assert answer.status_code == 200, answer.content
    return {name: answer.json()[name] for name in NOTHING}


def test_each_line_is_rounded_and_the_headline_adds_up_the_rounded_ones(
    history: ApiClient, bank: StubBank
) -> None:
    give(bank, USD="4.044", EUR="4.2544")

    # 0.4044 and 42.544, together 42.95 unrounded; 0.297808.
    assert headline(history, currency="PLN") == {
        "total_credit": "42.94",
        "total_debit": "0.30",
        "average_transaction_value": "14.41",
        "rates_as_of": TODAY.isoformat(),
    }


def test_across_the_base_and_into_a_currency_without_decimals(
    history: ApiClient, bank: StubBank
) -> None:
    give(bank, USD="4.00", EUR="4.20", JPY="0.0250")

    # 16 and 1,680; 11.76.
    assert headline(history, currency="JPY") == {
        "total_credit": "1696",
        "total_debit": "12",
        "average_transaction_value": "569",
        "rates_as_of": TODAY.isoformat(),
    }
    assert headline(history)["total_credit"] == "10.60"


def test_without_a_bank_it_is_at_the_table_that_ships(history: ApiClient) -> None:
    assert headline(history) == {
        "total_credit": "11.94",
        "total_debit": "0.08",
        "average_transaction_value": "4.01",
        "rates_as_of": "2026-01-30",
    }


def test_one_currency_alone_is_not_converted(ada: ApiClient, bank: StubBank) -> None:
    record(ada.user, currency="EUR")  # type: ignore[arg-type]

    for query in ({}, {"currency": "EUR"}):
        assert headline(ada, **query)["total_credit"] == "10.00"
        assert headline(ada, **query)["rates_as_of"] is None
    assert bank.calls == []


def test_where_a_rate_is_missing_it_is_null(history: ApiClient, bank: StubBank) -> None:
    give(bank, USD="4.00")

    assert headline(history) == NOTHING
    assert headline(history, currency="CLF") == NOTHING


def test_with_no_table_at_all_it_is_null(history: ApiClient, bank: StubBank) -> None:
    assert headline(history) == headline(history) == NOTHING
    assert bank.calls == []


def test_a_new_table_shows_at_once(history: ApiClient, bank: StubBank) -> None:
    assert headline(history)["total_credit"] is None
    for eur, credit in (("4.20", "10.60"), ("4.40", "11.10"), ("4.20", "10.60")):
        give(bank, USD="4.00", EUR=eur)

        assert headline(history)["total_credit"] == credit
        assert history.get("/analytics").headers["X-Cache"] == "hit"


def test_the_same_table_fetched_again_makes_no_answer_anew(
    history: ApiClient, bank: StubBank
) -> None:
    give(bank, USD="4.00", EUR="4.20")
    history.get("/analytics")

    give(bank, USD="4.00", EUR="4.20")

    assert history.get("/analytics").headers["X-Cache"] == "hit"


def test_the_same_rates_of_another_day_are_another_table(
    history: ApiClient, bank: StubBank
) -> None:
    for days in (1, 0):
        day = TODAY - timedelta(days=days)
        bank.gives(A=table("A", day, USD="4.00", EUR="4.20"))
        operations.sync_now(bank.url, accept=False)

        assert headline(history)["rates_as_of"] == day.isoformat()


def test_a_converted_answer_that_is_kept_asks_no_database(
    history: ApiClient, bank: StubBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(bank, USD="4.00", EUR="4.20")
    first = history.get("/analytics")
    sent: list[Any] = []
    kind = get_redis_connection().connection_pool.connection_class
    send = kind.send_packed_command

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        sent.append(args)
        return send(self, *args, **kwargs)

    monkeypatch.setattr(kind, "send_packed_command", counted)
    with CaptureQueriesContext(connection) as statements:
        second = history.get("/analytics")

    assert (second.headers["X-Cache"], second.content) == ("hit", first.content)
    assert (len(statements), len(sent)) == (0, 2)
