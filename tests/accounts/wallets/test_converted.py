"""`currencies_converted`: each line is rounded, and the sum adds the rounded lines."""

from typing import Any

import pytest

from accounts.rates import operations as rates
from accounts.wallets.models import Wallet
from tests.bank import TODAY, StubBank, table
from tests.client import ApiClient
from tests.factories import wallet

pytestmark = pytest.mark.django_db
EVERYTHING = "/currencies_converted"


def publish(bank: StubBank, **tables: Any) -> None:
    bank.gives(**tables)
    rates.sync_now(bank.url, accept=True)


def opened(client: ApiClient, name: str = "main", **held: str) -> Wallet:
    assert client.user
    return wallet(client.user, name, **held)


def test_the_sum_is_that_of_the_rounded_lines(ada: ApiClient, bank: StubBank) -> None:
    publish(bank, A=table("A", USD="4.045"))
    for name in ("a", "b", "c"):
        opened(ada, name, USD="0.10")

    answer = ada.get(EVERYTHING, to="PLN")

    assert answer.status_code == 200
    line = {"currency": "USD", "amount": "0.10", "rate": "4.045", "converted": "0.40"}
    assert answer.json() == {
        "to": "PLN",
        "rate": "mid",
        "rates_as_of": TODAY.isoformat(),
        "lines": [{"wallet": name} | line for name in ("a", "b", "c")],
        "sum": "1.20",
    }


def test_half_a_cent_is_rounded_up(ada: ApiClient, bank: StubBank) -> None:
    publish(bank, A=table("A", USD="1.005"))
    opened(ada, USD="1")

    assert ada.get(EVERYTHING, to="PLN").json()["sum"] == "1.01"


def test_it_is_converted_into_the_callers_currency_of_the_moment(
    ada: ApiClient, open_bank: StubBank
) -> None:
    rates.sync_now(open_bank.url, accept=False)
    opened(ada, USD="10")

    for currency in ("EUR", "JPY", "USD"):
        ada.patch("/users/me", {"currency": currency})
        for path in (EVERYTHING, "/wallets/main/currencies_converted"):
            assert ada.get(path).json() == ada.get(path, to=currency).json()
            assert ada.get(path).json()["to"] == currency


def test_a_wallet_alone_and_all_of_them(ada: ApiClient, open_bank: StubBank) -> None:
    rates.sync_now(open_bank.url, accept=False)
    opened(ada, USD="10", JPY="100", PLN="1")
    opened(ada, "other", EUR="2")

    one = ada.get("/wallets/main/currencies_converted", to="EUR").json()
    everything = ada.get(EVERYTHING, to="EUR").json()

    converted = [(line["currency"], line["rate"], line["converted"]) for line in one["lines"]]
    assert converted == [
        ("JPY", "0.005882352941", "0.59"),
        ("PLN", "0.2352941176", "0.24"),
        ("USD", "0.9294117647", "9.29"),
    ]
    assert (one["sum"], everything["sum"]) == ("10.12", "12.12")
    assert everything["lines"][3] == {
        "wallet": "other",
        "currency": "EUR",
        "amount": "2.00",
        "rate": "1",
        "converted": "2.00",
    }


@pytest.mark.parametrize(("rate", "converted"), [("bid", "39.00"), ("ask", "40.00")])
def test_bid_and_ask(ada: ApiClient, open_bank: StubBank, rate: str, converted: str) -> None:
    rates.sync_now(open_bank.url, accept=False)
    opened(ada, USD="10")

    answer = ada.get(EVERYTHING, to="PLN", rate=rate).json()

    assert (answer["rate"], answer["sum"]) == (rate, converted)


def test_where_a_line_has_no_rate_there_is_no_sum(ada: ApiClient, open_bank: StubBank) -> None:
    rates.sync_now(open_bank.url, accept=False)
    opened(ada, JPY="5", USD="10")

    answer = ada.get(EVERYTHING, to="PLN", rate="bid").json()

    lines = [(line["currency"], line["rate"], line["converted"]) for line in answer["lines"]]
    assert lines == [("JPY", None, None), ("USD", "3.90", "39.00")]
    assert (answer["sum"], answer["rates_as_of"]) == (None, TODAY.isoformat())


def test_what_needs_no_rate_works_without_any(ada: ApiClient, bank: StubBank) -> None:
    opened(ada, USD="10")
    opened(ada, "other", USD="0.5")

    same = ada.get(EVERYTHING, to="USD")
    other = ada.get(EVERYTHING, to="PLN")

    assert (same.json()["sum"], same.json()["rates_as_of"]) == ("10.50", None)
    assert [line["rate"] for line in same.json()["lines"]] == ["1", "1"]
    assert (other.status_code, other.json()["code"]) == (503, "rates-unavailable")
    assert other.headers["Retry-After"] == "60"


def test_an_empty_balance_needs_no_rate(ada: ApiClient, bank: StubBank) -> None:
    opened(ada, USD="0", XPF="0", PLN="2.50")

    answer = ada.get(EVERYTHING, to="PLN").json()

    lines = [(line["currency"], line["rate"], line["converted"]) for line in answer["lines"]]
    assert lines == [("PLN", "1", "2.50"), ("USD", None, "0.00"), ("XPF", None, "0.00")]
    assert (answer["sum"], answer["rates_as_of"]) == ("2.50", None)


def test_nor_does_it_hide_the_sum_of_the_others(ada: ApiClient, open_bank: StubBank) -> None:
    rates.sync_now(open_bank.url, accept=False)
    opened(ada, XPF="0", USD="10")

    answer = ada.get(EVERYTHING, to="PLN").json()

    assert (answer["sum"], answer["rates_as_of"]) == ("39.50", TODAY.isoformat())


@pytest.mark.parametrize(("to", "nothing"), [("USD", "0.00"), ("JPY", "0"), ("KWD", "0.000")])
def test_nothing_adds_up_to_nothing(ada: ApiClient, bank: StubBank, to: str, nothing: str) -> None:
    opened(ada)

    for path in (EVERYTHING, "/wallets/main/currencies_converted"):
        answer = ada.get(path, to=to)
        assert answer.json() == {
            "to": to,
            "rate": "mid",
            "rates_as_of": None,
            "lines": [],
            "sum": nothing,
        }


@pytest.mark.parametrize(
    "parameters",
    [{"to": "XXX"}, {"to": "us"}, {"to": "USD", "rate": "low"}, {"to": "USD", "x": "1"}],
)
def test_a_bad_question_is_refused(ada: ApiClient, parameters: dict[str, str]) -> None:
    opened(ada)

    for path in (EVERYTHING, "/wallets/main/currencies_converted"):
        assert ada.get(path, **parameters).status_code == 400


def test_a_closed_wallet_is_not_among_them(ada: ApiClient) -> None:
    opened(ada, USD="0")
    opened(ada, "other", USD="1")
    assert ada.delete("/wallets/main").status_code == 204

    assert [line["wallet"] for line in ada.get(EVERYTHING, to="USD").json()["lines"]] == ["other"]


@pytest.mark.django_db(transaction=True)
def test_new_rates_are_seen_at_once(ada: ApiClient, bank: StubBank) -> None:
    publish(bank, A=table("A", USD="4.00"))
    opened(ada, USD="1")
    assert [ada.get(EVERYTHING, to="PLN").headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]

    publish(bank, A=table("A", USD="4.10"))

    assert ada.get(EVERYTHING, to="PLN").json()["sum"] == "4.10"
