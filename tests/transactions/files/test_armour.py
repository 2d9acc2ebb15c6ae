"""Text in a CSV file: harmless in every spreadsheet, and restored as it was."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transactions.files.armour import armoured, bare

FORMULA_SIGNS = "=+-@＝＋－＠"
# Mostly the relevant characters, so that they combine; any other is drawn separately.
texts = st.text(st.sampled_from("=-＝'\";,\t\r\n a\u200b"), max_size=8) | st.text()
often = settings(max_examples=2000, deadline=None, database=None, derandomize=True)


def line_of(text: str) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerow([1, armoured(text), 2])
    return file.getvalue()


def cells(line: str, delimiter: str) -> list[str]:
    """The cells as a spreadsheet reads them that splits at this separator."""
    rows = csv.reader(io.StringIO(line, newline=""), delimiter=delimiter)
    return [cell for row in rows for cell in row]


@often
@given(texts)
def test_every_text_comes_back_as_it_was(text: str) -> None:
    assert bare(armoured(text)) == text
    assert bare(cells(line_of(text), ",")[1]) == text


@often
@given(texts, st.sampled_from(",;\t"))
def test_no_cell_begins_like_a_formula(text: str, delimiter: str) -> None:
    for cell in cells(line_of(text), delimiter):
        assert not cell.lstrip("\0\u200b \t\r\n\xa0").startswith(tuple(FORMULA_SIGNS)), cell


@often
@given(texts)
def test_no_cell_is_empty_or_begins_with_a_break(text: str) -> None:
    assert armoured(text)[:1] not in {"", "\t", "\r", "\n"}


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd()", "'=cmd()"),
        ("＝cmd()", "'＝cmd()"),
        (" =1", "' =1"),
        ("\ufeff\u200b@SUM(1)", "'\ufeff\u200b@SUM(1)"),
        ("-5;+1", "'-5;'+1"),
        ('6" =1', "6\"' =1"),
        ("Milk\n- bread", "Milk\n'- bread"),
        ("'=1", "''=1"),
        ("\tx", "'\tx"),
        ("", "'"),
        ("'", "''"),
        ("O'Neil", "O'Neil"),
        ("'tis", "'tis"),
        ("a-b, -c", "a-b, -c"),
        ("Núñez", "Núñez"),
    ],
)
def test_an_apostrophe_stands_before_what_could_be_a_formula(text: str, cell: str) -> None:
    assert (armoured(text), bare(cell)) == (cell, text)


def test_long_texts_take_no_longer_than_they_are_long() -> None:
    for text in (" " * 200_000, "'" * 200_000, ";" * 200_000, "; " * 100_000):
        assert bare(armoured(text)) == text
