"""What is found in a file without a mapping, and what is rather not chosen."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.transactions.mappings.files import GUESSED, NOT_GUESSED, text
from transactions.mappings.guess import NotGuessed, guessed
from transactions.mappings.mapping import ColumnMapping, Role, parsed
from transactions.mappings.rows import Reader


def roles(mapping: ColumnMapping) -> dict[str, str]:
    return {
        name: column.role.value
        for name, column in mapping.columns.items()
        if column.role is not Role.IGNORE
    }


def found(header: str, *rows: str) -> ColumnMapping:
    return guessed("\n".join([header, *rows, ""]))[0]


@pytest.mark.parametrize("name", GUESSED)
def test_the_rows_of_a_known_file_are_read(name: str) -> None:
    mapping, table = guessed(text(name))

    reader = Reader(mapping, table.header)
    assert table.sample
    assert [faults for row in table.sample if (faults := reader.values(row)[1])] == []
    assert parsed(mapping.as_json()) == mapping


@pytest.mark.parametrize("name", NOT_GUESSED)
def test_what_a_known_file_does_not_tell_is_said(name: str) -> None:
    with pytest.raises(NotGuessed) as caught:
        guessed(text(name))

    assert caught.value.code == NOT_GUESSED[name]


def test_columns_in_other_languages_are_known() -> None:
    mapping = found(
        "Data operacji;Opis operacji;Nadawca/Odbiorca;Kwota operacji;Waluta",
        "31.01.2026;Kawa;Kawiarnia;-1 234,50;PLN",
    )

    assert roles(mapping) == {
        "Data operacji": "transaction_date",
        "Opis operacji": "description",
        "Nadawca/Odbiorca": "full_name",
        "Kwota operacji": "signed_amount",
        "Waluta": "currency",
    }
    assert mapping.decimal == ","


AMBIGUOUS = [
    ("Date,Amount", ["05/03/2026,-1.00"], "ambiguous-dates"),
    ("Date,Amount", ["soon,-1.00"], "unknown-dates"),
    ("Datum;Betrag", ["31.01.2026;-1.234"], "ambiguous-amounts"),
    ("Date,Amount", ["2026-01-31,none"], "unknown-amounts"),
    ("Date,Amount", ["2026-01-31,1.00"], "amounts-without-sign"),
    ("Date,Amount", ["2026-01-31,-$1.00"], "ambiguous-currency"),
    ("Date,Amount", [], "no-rows"),
    ("Date,Amount", ["2026-01-31"], "no-rows"),
    ("Date,Colour", ["2026-01-31,red"], "unknown-columns"),
    ("Date,Amount fee", ["2026-01-31,-1"], "unknown-columns"),
    ("Date,Amount,User ID", ["2026-01-31,-1,7", "2026-01-31,-1,8"], "several-people"),
]


@pytest.mark.parametrize(("header", "rows", "code"), AMBIGUOUS)
def test_where_two_readings_differ_nothing_is_chosen(
    header: str, rows: list[str], code: str
) -> None:
    with pytest.raises(NotGuessed) as caught:
        found(header, *rows)

    assert caught.value.code == code


TOLD: list[tuple[str, list[str], dict[str, Any]]] = [
    ("Date,Amount", ["05/03/2026,-1.00", "13/03/2026,2.00"], {"date": "%d/%m/%Y"}),
    ("Date,Amount", ["05/03/2026,-1.00", "03/13/2026,2.00"], {"date": "%m/%d/%Y"}),
    ("Date,Amount", ["05/05/2026,-1.00"], {"decimal": ".", "thousands": None}),
    # Nothing shows the signs yet, so thousands are refused rather than misread.
    ("Date,Amount", ["2026-01-31,-100"], {"decimal": ".", "thousands": ""}),
    ("Datum;Betrag", ["31.01.2026;-100"], {"decimal": ",", "thousands": ""}),
    ("Datum;Betrag", ["31.01.2026;-1.234,5"], {"decimal": ",", "thousands": None}),
    ("Datum;Betrag", ["31.01.2026;-1.234", "31.01.2026;-1,5"], {"decimal": ","}),
    ("Date,Amount (EUR)", ["2026-01-31,-1.00"], {"constants": {"currency": "EUR"}}),
    ("Date,Amount in EUR", ["2026-01-31,-1.00"], {"constants": {"currency": "EUR"}}),
    ("Date,Amount", ["2026-01-31,-1.00 €"], {"constants": {"currency": "EUR"}}),
]


@pytest.mark.parametrize(("header", "rows", "expected"), TOLD)
def test_one_row_may_tell_for_all(header: str, rows: list[str], expected: dict[str, Any]) -> None:
    mapping = found(header, *rows)

    formats = [each.format for each in mapping.columns.values() if each.role is Role.DATE]
    told = {name: getattr(mapping, name) for name in ("decimal", "thousands", "constants")}
    assert ({"date": formats[0]} | told).items() >= expected.items()


def test_a_word_for_the_type_is_kept_with_its_meaning() -> None:
    mapping = found("Datum,Bedrag,Af Bij", "2026-01-31,1.00,Af", "2026-01-31,1.00,Bij")

    assert mapping.columns["Af Bij"].values == {"Af": "debit", "Bij": "credit"}


def test_debits_below_zero_in_a_column_of_their_own_are_turned_around() -> None:
    mapping = found("Date,Debit,Credit", "2026-01-31,-1.00,", "2026-01-31,,2.00")

    assert mapping.columns["Debit"].negate
    assert not mapping.columns["Credit"].negate


def test_one_bad_currency_does_not_make_a_file_one_of_another_currency() -> None:
    mapping = found(
        "Date,Amount,Currency", "2026-01-31,-1,EUR", "2026-01-31,-1,?", "2026-01-31,1,EUR"
    )

    assert roles(mapping)["Currency"] == "currency"


def test_an_id_that_repeats_is_none() -> None:
    header = "Date,Amount,Transaction ID"

    assert "Transaction ID" in roles(found(header, "2026-01-31,-1,a", "2026-01-31,-1,b"))
    assert "Transaction ID" not in roles(found(header, "2026-01-31,-1,a", "2026-01-31,-1,a"))


def test_a_row_that_the_end_of_the_sample_cuts_is_not_looked_at() -> None:
    head = "Date,Amount\n2026-01-31,-1.00\n2026-01-31,-1.0"

    assert len(guessed(head)[1].sample) == 1


CELLS = st.text(alphabet="0123456789.,/- €ab\"'", max_size=12)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=8), st.sampled_from([",", ";", "\t"]))
def test_whatever_the_rows_hold_it_ends_in_a_mapping_or_a_reason(
    rows: list[tuple[str, str]], separator: str
) -> None:
    lines = [separator.join(cells) for cells in [("Date", "Amount"), *rows]]
    with suppress(NotGuessed):
        mapping, table = guessed("\n".join(lines) + "\n")
        reader = Reader(mapping, table.header)
        read = [reader.values(row) for row in table.sample]
        assert all(values or faults for values, faults in read)
