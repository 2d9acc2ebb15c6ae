"""How amounts are read: exactly, or not at all."""

from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transactions.mappings import amounts
from transactions.statements.values import Malformed

READ = [
    ("1234.5", ".", None, "1234.5"),
    ("1,234.50", ".", None, "1234.50"),
    ("1,234,567", ".", None, "1234567"),
    ("1.234,50", ",", None, "1234.50"),
    ("1 234,50", ",", None, "1234.50"),
    ("1\u202f234\u202f567,5", ",", None, "1234567.5"),
    ("11'373.94", ".", "'", "11373.94"),
    ("11\u2019373.94", ".", "'", "11373.94"),
    ("-1.00", ".", "", "-1.00"),
    ("1.00-", ".", "", "-1.00"),
    ("+1.00", ".", "", "1.00"),
    ("\u22121.00", ".", "", "-1.00"),
    ("(12.30)", ".", "", "-12.30"),
    ("$20.00", ".", None, "20.00"),
    ("-$1,020.00", ".", None, "-1020.00"),
    ("$-20.00", ".", None, "-20.00"),
    ("12,34 \u20ac", ",", None, "12.34"),
    ("-12,34\u20ac", ",", None, "-12.34"),
    (".5", ".", None, "0.5"),
    ("0", ".", None, "0"),
    ("0.12345678901234567890123456789012", ".", None, "0.12345678901234567890123456789012"),
]
REFUSED = [
    ("", ".", None),
    ("-", ".", None),
    (".", ".", None),
    ("1,50", ".", None),
    ("1.50", ",", None),
    ("1,234.50", ".", ""),
    ("1,23,456.00", ".", None),
    ("1234,567", ".", None),
    ("1,234 567", ".", None),
    ("1e5", ".", None),
    ("NaN", ".", None),
    ("0x10", ".", None),
    ("--1", ".", None),
    ("-(1)", ".", None),
    ("(-1)", ".", None),
    ("12 EUR", ".", None),
    ("\u0661\u0662", ".", None),
    ("9" * 41, ".", None),
]


@pytest.mark.parametrize(("text", "decimal", "thousands", "expected"), READ)
def test_an_amount_is_read_exactly(
    text: str, decimal: str, thousands: str | None, expected: str
) -> None:
    assert str(amounts.reader(decimal, thousands)(text)) == expected


@pytest.mark.parametrize(("text", "decimal", "thousands"), REFUSED)
def test_what_might_mean_something_else_is_refused(
    text: str, decimal: str, thousands: str | None
) -> None:
    with pytest.raises(Malformed):
        amounts.reader(decimal, thousands)(text)


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=2, min_value=-(10**15), max_value=10**15
    )
)
def test_what_people_write_comes_back(amount: Decimal) -> None:
    english, german = f"{amount:,.2f}", f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))

    assert amounts.reader(".", None)(english) == amount
    assert amounts.reader(",", None)(german) == amount


@given(st.text(max_size=60), st.sampled_from([".", ","]), st.sampled_from([None, "", " ", "'"]))
def test_whatever_stands_there_is_a_number_or_refused(
    text: str, decimal: str, thousands: str | None
) -> None:
    with suppress(Malformed):
        assert amounts.reader(decimal, thousands)(text).is_finite()
