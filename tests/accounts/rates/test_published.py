"""A bank's answer is accepted completely, or not at all."""

from datetime import date
from decimal import Decimal
from typing import Any, cast

import pytest

from accounts.rates.published import (
    BadRates,
    Letter,
    Published,
    combined,
    parse,
    require_likeness,
    require_order,
)
from accounts.rates.shipped import shipped_table
from accounts.rates.table import Rate
from tests.bank import table

DAY = date(2026, 1, 30)
NBP = """[{"table":"A","no":"064/A/NBP/2016","effectiveDate":"2016-04-04","rates":[
{"currency":"bat (Tajlandia)","code":"THB","mid":0.1066},
{"currency":"dolar amerykański","code":"USD","mid":3.7254},
{"currency":"SDR (MFW)","code":"XDR","mid":5.2597}]}]"""
NBP_C = """[{"table":"C","no":"064/C/NBP/2016","tradingDate":"2016-04-01",
"effectiveDate":"2016-04-04","rates":[
{"currency":"dolar amerykański","code":"USD","bid":3.6928,"ask":3.7674}]}]"""


def refusal(letter: str, body: bytes) -> str:
    with pytest.raises(BadRates) as refused:
        parse(cast(Letter, letter), body)
    assert len(refused.value.detail) <= 200
    return refused.value.code


def test_a_table_of_nbp_is_read_without_what_is_no_money() -> None:
    mids = parse("A", NBP.encode())
    dealing = parse("C", ("\ufeff" + NBP_C).encode())

    assert mids == Published(
        "A",
        date(2016, 4, 4),
        {"THB": {"mid": Decimal("0.1066")}, "USD": {"mid": Decimal("3.7254")}},
    )
    assert dealing.prices == {"USD": {"bid": Decimal("3.6928"), "ask": Decimal("3.7674")}}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("0.00023417", "0.00023417"),
        ("2.3417e-4", "0.00023417"),
        ("1E+1", "10"),
        ("4", "4"),
        ("1e-9", "0.000000001"),
        ("0.123456789012345678", "0.123456789012345678"),
    ],
)
def test_a_rate_is_what_was_written_to_the_last_digit(written: str, meant: str) -> None:
    prices = parse("A", table("A", DAY, IDR=written)).prices

    assert prices["IDR"]["mid"] == Decimal(meant)


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("0", "out-of-bounds"),
        ("0.0", "out-of-bounds"),
        ("-3.95", "out-of-bounds"),
        ("1e-10", "out-of-bounds"),
        ("1000000001", "out-of-bounds"),
        ("1e999999", "out-of-bounds"),
        ("1e-999999", "out-of-bounds"),
        ("0.1234567890123456789", "out-of-bounds"),
        ("NaN", "not-json"),
        ("Infinity", "not-json"),
        ("9" * 5000, "not-json"),
        ("1e99999999999999999999", "not-json"),
        ('"3.95"', "malformed"),
        ('"NaN"', "malformed"),
        ("true", "malformed"),
        ("null", "malformed"),
        ("[3.95]", "malformed"),
        ('{"mid": 3.95}', "malformed"),
    ],
)
def test_a_rate_that_is_none_refuses_the_whole_table(written: str, code: str) -> None:
    assert refusal("A", table("A", DAY, EUR="4.25", USD=written)) == code
    assert refusal("C", table("C", DAY, EUR=("4.2", "4.3"), USD=("3.9", written))) == code


ROWS = '"rates": [{"code": "USD", "mid": 3.95}]'


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "not-json"),
        ("<ArrayOfExchangeRatesTable><Table>A</Table></ArrayOfExchangeRatesTable>", "not-json"),
        ("[" * 100_000, "not-json"),
        (NBP[:200], "not-json"),
        (NBP + NBP, "not-json"),
        ("{}", "malformed"),
        ("[]", "malformed"),
        ("null", "malformed"),
        (f"[{NBP}]", "malformed"),
        (f"[{NBP[1:-1]}, {NBP[1:-1]}]", "malformed"),
        (f'[{{"table": "B", "effectiveDate": "2026-01-30", {ROWS}}}]', "malformed"),
        (f'[{{"effectiveDate": "2026-01-30", {ROWS}}}]', "malformed"),
        (f'[{{"table": "A", {ROWS}}}]', "malformed"),
        (f'[{{"table": "A", "effectiveDate": "30.01.2026", {ROWS}}}]', "malformed"),
        (f'[{{"table": "A", "effectiveDate": 20260130, {ROWS}}}]', "malformed"),
        (f'[{{"table": "A", "effectiveDate": "2026-02-30", {ROWS}}}]', "malformed"),
        ('[{"table": "A", "effectiveDate": "2026-01-30", "rates": []}]', "malformed"),
        ('[{"table": "A", "effectiveDate": "2026-01-30", "rates": {"USD": 1}}]', "malformed"),
        ('[{"table": "A", "effectiveDate": "2026-01-30", "rates": [7]}]', "malformed"),
        ('[{"table": "A", "effectiveDate": "2026-01-30", "rates": [{"mid": 1}]}]', "malformed"),
    ],
)
def test_a_body_of_another_form_is_refused(body: str, code: str) -> None:
    assert refusal("A", body.encode()) == code


@pytest.mark.parametrize("code", ["usd", "US", "USDX", "ÜSD", "", "US\\u0000"])
def test_a_currency_is_three_capitals(code: str) -> None:
    assert refusal("A", table("A", DAY, EUR="4.25", **{code: "3.95"})) == "malformed"


def test_bytes_that_are_no_utf_8_are_refused() -> None:
    assert refusal("A", NBP.encode("iso8859-2")) == "not-json"
    assert refusal("A", NBP.encode("utf-16")) == "not-json"


def test_a_currency_or_a_field_that_stands_twice_is_refused() -> None:
    body = table("A", DAY, USD="3.95", EUR="4.25").replace(b"EUR", b"USD")
    twice = table("A", DAY, USD='3.95, "mid": 4.95')

    assert refusal("A", body) == "duplicate"
    assert refusal("A", twice) == "not-json"


def test_the_base_has_no_row_or_is_one() -> None:
    assert list(parse("A", table("A", DAY, PLN="1.0000", USD="3.95")).prices) == ["USD"]
    assert refusal("A", table("A", DAY, PLN="4.2", USD="3.95")) == "malformed"
    assert refusal("A", table("A", DAY, PLN="1")) == "malformed"
    assert refusal("A", table("A", DAY, XDR="5.2")) == "malformed"


def of(**mids: str) -> dict[str, Any]:
    return {code: Rate(Decimal(mid)) for code, mid in mids.items()}


def test_tables_make_one_in_which_a_goes_before_b() -> None:
    tables = {
        "A": parse("A", table("A", DAY, USD="3.95")),
        "B": parse("B", table("B", DAY, USD="3.80", AFN="0.05")),
        # A currency without a mid is left out: no amount could be reported in it.
        "C": parse("C", table("C", DAY, USD=("3.9", "4.0"), CHF=("4.4", "4.5"))),
    }

    rates = combined(cast(Any, tables))

    assert rates == {
        "USD": Rate(Decimal("3.95"), Decimal("3.9"), Decimal("4.0")),
        "AFN": Rate(Decimal("0.05")),
    }


@pytest.mark.parametrize(
    ("bid", "ask", "code"),
    [
        ("4.01", "4.00", "bid-above-ask"),
        ("1.9", "4.00", "moved-too-far"),
        ("3.9", "8.01", "moved-too-far"),
        ("3.9", "8", None),
    ],
)
def test_bid_and_ask_are_around_the_mid(bid: str, ask: str, code: str | None) -> None:
    rates = {"USD": Rate(Decimal("4.00"), Decimal(bid), Decimal(ask))}
    if code is None:
        require_order(rates)
        return
    with pytest.raises(BadRates) as refused:
        require_order(rates)
    assert refused.value.code == code


@pytest.mark.parametrize("mid", ["2.00", "8.00", "4.00"])
def test_a_rate_may_move_by_the_factor_and_new_currencies_may_come(mid: str) -> None:
    require_likeness(of(USD=mid, EUR="1.00"), of(USD="4.00"))


@pytest.mark.parametrize("mid", ["1.999999", "8.000001", "400.00", "0.04"])
def test_a_rate_that_moves_further_is_refused(mid: str) -> None:
    with pytest.raises(BadRates) as refused:
        require_likeness(of(USD=mid), of(USD="4.00"))

    assert refused.value.code == "moved-too-far"


def test_a_currency_that_is_gone_is_refused_and_so_is_its_bid() -> None:
    before = {"USD": Rate(Decimal(4), Decimal(4), Decimal(4)), **of(EUR="4")}
    for now in (of(EUR="4"), of(EUR="4", USD="4")):
        with pytest.raises(BadRates) as refused:
            require_likeness(now, before)
        assert (refused.value.code, refused.value.detail[:3]) == ("currency-missing", "USD")


def test_the_table_that_ships_is_one_like_any_other() -> None:
    shipped = shipped_table()

    require_order(shipped.rates)
    assert shipped.source == "shipped"
    assert len(shipped.rates) == 16
    assert {"USD", "EUR", "GBP", "JPY", "KWD"} <= set(shipped.rates)
    assert shipped.rates["KWD"].bid is None
