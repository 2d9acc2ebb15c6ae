"""Whether a header is a row."""

from typing import Any

import pytest

from transactions.mappings.headless import names_are_values
from transactions.mappings.mapping import parsed

DATE, AMOUNT = "transaction_date", "signed_amount"


def mapping(date: str, amount: str, format_: str | None = None, **rest: Any) -> Any:
    columns = {date: {"role": DATE, "format": format_}, amount: {"role": AMOUNT}}
    return parsed({"columns": columns, **rest})


@pytest.mark.parametrize(
    ("date", "format_", "amount"),
    [
        ("2026-01-31", None, "Betrag"),
        ("31.01.2026", "%d.%m.%Y", "Betrag"),
        ("Datum", None, "-1.234,50"),
        ("Datum", None, "€ 5"),
    ],
)
def test_a_date_or_an_amount_is_no_name(date: str, format_: str | None, amount: str) -> None:
    assert names_are_values(mapping(date, amount, format_, decimal=","))


@pytest.mark.parametrize("date", ["Datum", "Buchungstag 2026", "1", "Date (UTC)"])
@pytest.mark.parametrize("amount", ["Betrag", "Amount (EUR)", "Betrag 1"])
def test_names_are_names(date: str, amount: str) -> None:
    assert not names_are_values(mapping(date, amount))


def test_numbers_are_the_names_where_there_is_no_header() -> None:
    assert not names_are_values(mapping("1", "2", header=False))
