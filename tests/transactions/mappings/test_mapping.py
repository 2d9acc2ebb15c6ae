"""What a mapping may say, and that each fault is told."""

import copy
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transactions.mappings.mapping import (
    InvalidMapping,
    Role,
    fingerprint_of,
    is_encoding,
    parsed,
)

GOOD: dict[str, Any] = {
    "columns": {
        "Datum": {"role": "transaction_date", "format": "%d.%m.%Y"},
        "Betrag": {"role": "transaction_amount"},
        "Art": {"role": "transaction_type", "values": {"S": "debit", "H": "credit"}},
        "Text 1": {"role": "description"},
        "Text 2": {"role": "description"},
        "Info": {"role": "status", "values": {"gebucht": "booked"}},
        "Saldo": {"role": "ignore"},
    },
    "encoding": "iso-8859-15",
    "delimiter": ";",
    "skip_lines": 4,
    "decimal": ",",
    "thousands": ".",
    "constants": {"currency": "EUR", "wallet": "main"},
}


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one more value, or another one."""
    found = copy.deepcopy(GOOD)
    *folders, name = path.split("/")
    place = found
    for folder in folders:
        place = place[folder]
    place[name] = value
    return found


def test_what_was_read_is_said_again() -> None:
    assert parsed(GOOD).as_json() == GOOD
    assert parsed(parsed(GOOD).as_json()) == parsed(GOOD)


def test_null_is_as_if_it_were_absent() -> None:
    nothing = {"encoding": None, "header": None, "decimal": None, "constants": None}
    columns = {"a": {"role": "transaction_date", "format": None}, "b": {"role": "signed_amount"}}

    mapping = parsed({"columns": columns, **nothing})

    assert mapping.header is True
    assert mapping.as_json() == {
        "columns": {"a": {"role": "transaction_date"}, "b": {"role": "signed_amount"}}
    }


FAULTS = [
    ([], "is a JSON object"),
    ({}, "1 to 200 columns"),
    (changed("columns", {}), "1 to 200 columns"),
    (changed("columns", {str(n): {"role": "ignore"} for n in range(201)}), "1 to 200 columns"),
    (changed("colums", {}), "A mapping has no `colums`"),
    (changed("columns/Saldo", "ignore"), "Column `Saldo`: it has a `role`"),
    (changed("columns/Saldo", {"role": ["ignore"]}), "it has a `role`"),
    (changed("columns/Saldo/rolle", "x"), "Column `Saldo` has no `rolle`"),
    (changed("columns/Datum/format", "%d.%m"), "`format` is a date's"),
    (changed("columns/Datum/format", 7), "`format` is a date's"),
    (changed("columns/Betrag/negate", "yes"), "`negate` is true or false"),
    (changed("columns/Art/values", {"S": "out"}), "its words mean credit or debit"),
    (changed("columns/Info/values", {"S": "debit"}), "its words mean booked or pending"),
    (changed("columns/Saldo/values", {"S": "debit"}), "its words mean nothing"),
    (changed("columns/Art/values", ["S"]), "says of each word"),
    (changed("columns/datum", {"role": "ignore"}), "Two columns have the same name"),
    (changed("columns/Tag", {"role": "transaction_date"}), "Two columns are the transaction_date"),
    (changed("columns/Datum", {"role": "ignore"}), "No column is the transaction_date"),
    (changed("columns/Betrag", {"role": "ignore"}), "No column is an amount"),
    (changed("columns/Betrag", {"role": "signed_amount"}), "belongs to a transaction_amount"),
    (changed("columns/Soll", {"role": "debit_amount"}), "Amounts are in one column"),
    (changed("columns/Art", {"role": "ignore"}), "needs one column or constant"),
    (changed("constants/transaction_type", "debit"), "needs one column or constant"),
    (changed("constants/transaction_type", "in"), "is credit or debit"),
    (changed("constants/full_name", "Jane Doe"), "`full_name` cannot be a constant"),
    (changed("constants/currency", "EURO"), "The constant currency"),
    (changed("constants/currency", 7), "`constants` is an object"),
    (changed("encoding", "rot13"), "`encoding` is a known one"),
    (changed("encoding", "idna"), "`encoding` is a known one"),
    (changed("delimiter", "x"), "`delimiter` is a comma"),
    (changed("skip_lines", -1), "`skip_lines` is a number"),
    (changed("skip_lines", True), "`skip_lines` is a number"),
    (changed("decimal", "."), "are the same"),
    (changed("decimal", ";"), "`decimal` is a point"),
    (changed("thousands", "_"), "`thousands` is a point"),
    (changed("header", 0), "`header` is true or false"),
    (changed("header", False), "named by number"),
]


@pytest.mark.parametrize(("given", "words"), FAULTS)
def test_a_fault_is_told(given: Any, words: str) -> None:
    with pytest.raises(InvalidMapping, match=words):
        parsed(given)


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidMapping) as caught:
        parsed({"columns": {"a": {"role": "x"}, "b": {"role": "y"}}, "decimal": "x"})

    assert len(caught.value.faults) == 3


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.sampled_from(list(Role)),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.sampled_from([*GOOD, "role"]), inner)
    ),
)


@given(JSON | st.dictionaries(st.sampled_from(list(GOOD)), JSON))
def test_whatever_is_sent_is_a_mapping_or_a_fault(given: Any) -> None:
    with suppress(InvalidMapping):
        assert parsed(given).columns


def test_a_fingerprint_is_of_the_names_alone() -> None:
    assert fingerprint_of(["Datum", " BETRAG "]) == fingerprint_of(["betrag", "datum"])
    assert fingerprint_of(["Datum"]) != fingerprint_of(["Datum", "Betrag"])


@pytest.mark.parametrize(
    "name", ["utf-8", "UTF-8-SIG", "utf-16", "latin-1", "windows-1250", "cp852"]
)
def test_encodings_of_files_are_known(name: str) -> None:
    assert is_encoding(name)


@pytest.mark.parametrize(
    "name", ["", "\0", "punycode", "unicode_escape", "base64", "utf-7", "undefined"]
)
def test_other_codecs_are_not(name: str) -> None:
    assert not is_encoding(name)
