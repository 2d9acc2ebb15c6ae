"""What a caller may have meant."""

import pytest

from fido.lib.values.words import LONGEST, NotAChoice, instead, meant, parse_choice

FIELDS = ["transaction_amount", "transaction_date", "currency", "full_name", "wallet"]


@pytest.mark.parametrize(
    ("word", "known"),
    [
        ("transaction_ammount", "transaction_amount"),
        ("transactionAmount", "transaction_amount"),
        ("Currency", "currency"),
        ("amount", "transaction_amount"),
        ("date", "transaction_date"),
        ("name", "full_name"),
        ("walet", "wallet"),
    ],
)
def test_a_slip_of_the_pen_is_understood(word: str, known: str) -> None:
    assert meant(word, FIELDS) == known
    assert instead(word, FIELDS) == f"Did you mean `{known}`?"


@pytest.mark.parametrize("word", ["", "_", "x", "\ud800", "colour", "w" * (LONGEST + 1), None, 1])
def test_nothing_is_guessed_from_what_is_unlike(word: object) -> None:
    assert meant(word, FIELDS) is None
    assert instead(word, FIELDS) == f"Known are: {', '.join(FIELDS)}."


def test_an_end_that_two_words_share_stands_for_neither() -> None:
    assert meant("amount", ["min_amount", "max_amount"]) is None


def test_where_nothing_is_known_it_says_so() -> None:
    assert instead("x", []) == "None is known here."


def test_a_choice_is_one_of_the_words() -> None:
    assert parse_choice("credit", ["credit", "debit"]) == "credit"


@pytest.mark.parametrize("value", ["Jane Doe", "Credit", "", None, 1, ["credit"]])
def test_what_is_no_choice_is_not_repeated_but_the_choices_are(value: object) -> None:
    with pytest.raises(NotAChoice, match=r"^Must be one of: credit, debit\.$"):
        parse_choice(value, ["credit", "debit"])
