"""Amounts are exact: parsing, rounding and formatting change no cent."""

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fido.lib.values import money
from tests.client import ApiClient, errors_of

ISO_DECIMALS = {"JPY": 0, "KRW": 0, "USD": 2, "EUR": 2, "IQD": 3, "KWD": 3, "TND": 3, "CLF": 4}

currencies = st.sampled_from(sorted(money.CURRENCIES))
cents = st.integers(min_value=1, max_value=10**19 - 1)


@given(currencies, cents)
def test_what_is_written_is_read_back_the_same(currency: str, units: int) -> None:
    amount = money.rounded(Decimal(units).scaleb(-4), currency)
    assume(0 < amount < 10**money.INTEGER_DIGITS)
    written = money.text(amount, currency)

    assert money.parse(written) == amount
    assert money.text(money.parse(written), currency) == written


@given(currencies, st.decimals(allow_nan=False, allow_infinity=False, places=8, max_value=10**15))
def test_rounding_is_half_up_to_the_currencys_decimals(currency: str, amount: Decimal) -> None:
    unit = Fraction(1, 10 ** money.CURRENCIES[currency])
    rounded = Fraction(money.rounded(abs(amount), currency))

    # Half-up: (rounded - unit/2) <= amount < (rounded + unit/2).
    assert -unit / 2 < rounded - Fraction(abs(amount)) <= unit / 2
    assert (rounded / unit).denominator == 1


@given(currencies, cents)
def test_an_amount_is_written_with_exactly_the_currencys_decimals(
    currency: str, units: int
) -> None:
    _, point, decimals = money.text(Decimal(units), currency).partition(".")

    assert len(decimals) == money.CURRENCIES[currency]
    assert bool(point) == bool(decimals)


@given(currencies, st.integers(0, 8))
def test_more_decimals_than_the_currency_has_are_refused(currency: str, decimals: int) -> None:
    amount = Decimal((0, (1,), -decimals))
    if decimals <= money.CURRENCIES[currency]:
        money.require_decimals(amount, currency)
    else:
        with pytest.raises(money.MalformedAmount) as refusal:
            money.require_decimals(amount, currency)
        assert refusal.value.code == "too-many-decimals"


@given(st.lists(cents, min_size=1, max_size=30))
def test_a_quotient_rounds_as_the_exact_fraction_does(amounts: list[int]) -> None:
    total = Decimal(sum(amounts)).scaleb(-2)
    exact = Fraction(sum(amounts), 100 * len(amounts))

    shown = Fraction(money.text(money.divided(total, len(amounts)), "USD"))
    assert Fraction(-1, 200) < shown - exact <= Fraction(1, 200)


def test_ten_cents_and_twenty_cents_are_thirty() -> None:
    assert money.text(money.parse("0.10") + money.parse("0.20"), "USD") == "0.30"
    assert money.text(money.parse("19.99"), "USD") == "19.99"


@pytest.mark.parametrize(("amount", "expected"), [("0.005", "0.01"), ("0.0049", "0.00")])
def test_half_a_cent_goes_up(amount: str, expected: str) -> None:
    assert money.text(Decimal(amount), "USD") == expected


@pytest.mark.parametrize("currency", ISO_DECIMALS)
def test_decimals_are_those_of_iso_4217(currency: str) -> None:
    assert money.CURRENCIES[currency] == ISO_DECIMALS[currency]


@pytest.mark.parametrize("code", ["XAU", "XTS", "XXX", "usd", "BTC"])
def test_what_has_no_minor_unit_is_no_currency(code: str) -> None:
    assert code not in money.CURRENCIES


def test_every_currency_fits_the_column() -> None:
    assert max(money.CURRENCIES.values()) == money.MAX_DECIMALS
    assert all(len(code) == 3 and code.isascii() and code.isupper() for code in money.CURRENCIES)


@pytest.mark.parametrize("value", ["9" * 15 + ".99", 10**15 - 1, Decimal("1E+14"), "0" * 20 + "1"])
def test_fifteen_digits_before_the_point_are_taken(value: Any) -> None:
    assert money.parse(value) == Decimal(str(value))


@pytest.mark.parametrize(
    "value", ["1" + "0" * 15, 10**15, 10**400, Decimal("1E+400"), Decimal("1E+999999")]
)
def test_sixteen_digits_are_too_large(value: Any) -> None:
    with pytest.raises(money.MalformedAmount) as refusal:
        money.parse(value)
    assert refusal.value.code == "too-large"


@pytest.mark.parametrize("value", ["0", "0.00", 0, "-1", -1, "-0.01", Decimal("-0.0")])
def test_zero_and_negatives_are_not_positive(value: Any) -> None:
    with pytest.raises(money.MalformedAmount) as refusal:
        money.parse(value)
    assert refusal.value.code == "not-positive"


NOT_NUMBERS = ["", " ", "abc", "1e2", "1E2", "+1", "1,00", "1.", ".5", "1 ", " 1", "1\n", "0x1"]
NOT_NUMBERS += ["NaN", "Infinity", "-Infinity", "sNaN", "١", "１", "1_0", "1\0", "9" * 400]
NOT_NUMBERS += ["\ud800", "½"]
NOT_AMOUNTS: list[Any] = [None, True, False, [], {}, [1], b"1", 1.5, float("nan"), Decimal("NaN")]
NOT_AMOUNTS += [Decimal("Infinity"), Decimal("sNaN")]


@pytest.mark.parametrize("value", [*NOT_NUMBERS, *NOT_AMOUNTS], ids=ascii)
def test_anything_else_is_no_amount(value: Any) -> None:
    with pytest.raises(money.MalformedAmount) as refusal:
        money.parse(value)
    assert refusal.value.code == "invalid"


@given(st.text() | st.integers() | st.decimals() | st.floats() | st.none() | st.booleans())
def test_whatever_is_parsed_is_a_decimal_in_range_or_refused(value: Any) -> None:
    try:
        amount = money.parse(value)
    except money.MalformedAmount:
        return
    assert type(amount) is Decimal
    assert 0 < amount < 10**money.INTEGER_DIGITS


def test_a_sum_of_a_billion_of_the_largest_keeps_every_cent() -> None:
    total = Decimal("999999999999999.99") * 10**9
    assert money.text(total, "USD") == "999999999999999990000000.00"
    assert json.dumps(money.text(total, "USD")) == '"999999999999999990000000.00"'


@pytest.mark.parametrize(
    ("currency", "sent", "answered"),
    [
        ("JPY", 100, "100"),
        ("EUR", "1.5", "1.50"),
        ("KWD", 0.1, "0.100"),
        ("CLF", "0.0001", "0.0001"),
        ("EUR", "999999999999999.99", "999999999999999.99"),
    ],
)
def test_answers_have_the_currencys_own_decimals(
    ada: ApiClient, currency: str, sent: Any, answered: str
) -> None:
    row = {"transaction_date": "2026-01-31", "transaction_type": "debit", "currency": currency}
    created = ada.post("/transactions", row | {"transaction_amount": sent})

    assert created.json()["transaction_amount"] == answered
    assert ada.get("/transactions").json()["results"][0]["transaction_amount"] == answered
    (line,) = ada.get("/analytics").json()["by_currency"]
    assert (line["total_debit"], line["average_transaction_value"]) == (answered, answered)


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("JPY", "1.0"), ("EUR", "0.001"), ("KWD", "0.0001"), ("CLF", "0.00001")],
)
def test_one_decimal_more_is_refused(ada: ApiClient, currency: str, amount: str) -> None:
    row = {"transaction_date": "2026-01-31", "transaction_type": "debit", "currency": currency}
    answer = ada.post("/transactions", row | {"transaction_amount": amount})

    assert errors_of(answer) == [("#/transaction_amount", "too-many-decimals")]
    assert ada.get("/transactions").json()["results"] == []
