"""Conversion from one currency into another: exact, and rounded once."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.rates.conversion import convert, cross_rate, total
from accounts.rates.table import Column, Rate, RateMissing, RateTable
from fido.lib.values import clock, money


def table_of(**mids: str) -> RateTable:
    rates = {code: Rate(Decimal(mid)) for code, mid in mids.items()}
    return RateTable(date(2026, 1, 30), clock.now(), "bank", rates)


DEALING = RateTable(
    date(2026, 1, 30),
    clock.now(),
    "bank",
    {
        "USD": Rate(Decimal("4.00"), Decimal("3.90"), Decimal("4.10")),
        "EUR": Rate(Decimal("4.40"), Decimal("4.30"), Decimal("4.50")),
        "KWD": Rate(Decimal("13.00")),
    },
)


def test_three_lines_are_rounded_each_and_their_sum_adds_up_what_is_shown() -> None:
    table = table_of(USD="4.045")

    lines = [convert(Decimal("0.10"), source="USD", target="PLN", table=table) for _ in range(3)]

    assert [str(line) for line in lines] == ["0.40", "0.40", "0.40"]
    assert str(total(lines)) == "1.20"


def test_half_a_cent_is_rounded_up() -> None:
    table = table_of(USD="1.005")

    assert convert(Decimal(1), source="USD", target="PLN", table=table) == Decimal("1.01")
    assert convert(Decimal(-1), source="USD", target="PLN", table=table) == Decimal("-1.01")


@pytest.mark.parametrize(
    ("source", "target", "column", "expected"),
    [
        ("USD", "PLN", "mid", "400.00"),
        ("USD", "PLN", "bid", "390.00"),
        ("USD", "PLN", "ask", "410.00"),
        ("PLN", "USD", "mid", "25.00"),
        ("PLN", "USD", "bid", "25.64"),
        ("PLN", "USD", "ask", "24.39"),
        ("USD", "EUR", "mid", "90.91"),
        ("USD", "EUR", "bid", "90.70"),
        ("USD", "EUR", "ask", "91.11"),
        ("EUR", "KWD", "mid", "33.846"),
    ],
)
def test_either_leg_is_at_the_column_that_was_named(
    source: str, target: str, column: Column, expected: str
) -> None:
    converted = convert(Decimal(100), source=source, target=target, table=DEALING, column=column)

    assert str(converted) == expected


def test_nothing_is_rounded_in_between() -> None:
    # In the base, each of these is less than half a grosz.
    table = table_of(USD="0.000001", EUR="0.000003", JPY="0.0249")

    assert convert(Decimal("3.00"), source="USD", target="EUR", table=table) == Decimal("1.00")
    assert convert(Decimal("0.01"), source="EUR", target="USD", table=table) == Decimal("0.03")
    assert convert(Decimal("0.01"), source="PLN", target="JPY", table=table) == 0
    assert convert(Decimal(1), source="PLN", target="JPY", table=table) == Decimal(40)


def test_one_currency_needs_no_rate() -> None:
    assert convert(Decimal("1.10"), source="BHD", target="BHD", table=DEALING) == Decimal("1.100")
    assert cross_rate(source="BHD", target="BHD", table=DEALING) == 1


@pytest.mark.parametrize(
    ("source", "target", "column"),
    [("BHD", "USD", "mid"), ("USD", "BHD", "mid"), ("KWD", "USD", "bid"), ("USD", "KWD", "ask")],
)
def test_a_rate_that_is_missing_is_told(source: str, target: str, column: Column) -> None:
    missing = "BHD" if "BHD" in {source, target} else "KWD"
    with pytest.raises(RateMissing, match=f"There is no {column} rate for {missing}."):
        convert(Decimal(1), source=source, target=target, table=DEALING, column=column)
    with pytest.raises(RateMissing):
        cross_rate(source=source, target=target, table=DEALING, column=column)


def test_a_rate_is_shown_to_ten_digits() -> None:
    table = table_of(USD="4.00", EUR="4.40", JPY="0.000003")

    assert str(cross_rate(source="USD", target="PLN", table=table)) == "4.00"
    assert str(cross_rate(source="USD", target="EUR", table=table)) == "0.9090909091"
    assert str(cross_rate(source="USD", target="JPY", table=table)) == "1333333.333"


RATES = st.decimals("0.000000001", "1000000000", places=18)
AMOUNTS = st.decimals("-" + "9" * 30, "9" * 34, places=4)


def half_up(value: Fraction, decimals: int) -> Fraction:
    scaled = abs(value) * 10**decimals + Fraction(1, 2)
    return Fraction(scaled.__floor__(), 10**decimals) * (1 if value >= 0 else -1)


@given(amount=AMOUNTS, one=RATES, other=RATES, target=st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
def test_it_is_the_true_quotient_rounded_half_up(
    amount: Decimal, one: Decimal, other: Decimal, target: str
) -> None:
    rates = {"EUR": Rate(one), target: Rate(other)}
    table = RateTable(date(2026, 1, 30), clock.now(), "bank", rates)

    converted = convert(amount, source="EUR", target=target, table=table)

    true = Fraction(amount) * Fraction(one) / Fraction(other)
    assert Fraction(converted) == half_up(true, money.decimals(target))


def test_a_hair_less_than_half_a_cent_is_rounded_down() -> None:
    half = table_of(EUR="0.000000005", USD="0.00000001")
    less = table_of(EUR="0.000000004999999999", USD="0.00000001")

    converted = [
        str(convert(Decimal("0.01"), source="EUR", target="USD", table=table))
        for table in (half, less)
    ]

    assert converted == ["0.01", "0.00"]
