"""A refusal says all that is wrong at once, and what would be right."""

from typing import Any

import pytest

from tests.client import ApiClient

pytestmark = pytest.mark.django_db
GOOD = {
    "transaction_date": "2026-01-31",
    "transaction_amount": "1.00",
    "transaction_type": "credit",
}


def details(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400
    return {
        each.get("pointer") or each["parameter"]: each["detail"] for each in answer.json()["errors"]
    }


def test_all_that_is_missing_unknown_or_wrong_is_in_one_answer(ada: ApiClient) -> None:
    body = {"ammount": "1", "amount": "1", "transaction_type": "Credit", "colour": 1, "id": "x"}

    assert details(ada.post("/transactions", body)) == {
        "#/ammount": "Unknown field. Did you mean `transaction_amount`?",
        "#/amount": "Unknown field. Did you mean `transaction_amount`?",
        "#/colour": "Unknown field. Known are: user_id, full_name, transaction_date,"
        " transaction_amount, transaction_type, currency, description, external_id, wallet,"
        " category.",
        "#/id": "The service sets this field.",
        "#/transaction_amount": "This field is required.",
        "#/transaction_date": "This field is required.",
        "#/transaction_type": "Must be one of: credit, debit.",
    }


def test_an_edit_too_names_all_of_it(ada: ApiClient) -> None:
    made = ada.post("/transactions", GOOD).json()["id"]

    wrong = details(ada.patch(f"/transactions/{made}", {"walet": "x", "currency": "EURO"}))

    assert wrong == {
        "#/walet": "Unknown field. Did you mean `wallet`?",
        "#/currency": "Not an ISO 4217 currency code. Did you mean `EUR`?",
    }


def test_all_parameters_are_judged_at_once(ada: ApiClient) -> None:
    wrong = details(ada.get("/analytics", strat="2026-01-31", end="x", foo="1"))

    assert wrong["strat"] == "Unknown parameter. Did you mean `start`?"
    assert wrong["foo"].startswith("Unknown parameter. Known are: start, end,")
    assert "ISO 8601" in wrong["end"]


def test_only_what_could_have_changed_something_says_that_it_did_not(ada: ApiClient) -> None:
    assert ada.get("/transactions", foo="1").json()["detail"] == "See `errors`."
    unchanged = "Nothing was changed; see `errors`."
    assert ada.post("/transactions", {}).json()["detail"] == unchanged


def test_a_path_that_nobody_serves_is_no_missing_record(ada: ApiClient) -> None:
    answer = ada.get("/transaction").json()

    assert (answer["status"], answer["code"]) == (404, "not-found")
    assert answer["title"] == "There is nothing at this path."
    assert answer["detail"] == "See /api/docs for what there is."


@pytest.mark.parametrize("code", ["eur", "Eur", "EUR"])
def test_a_currency_may_be_in_small_letters_everywhere(ada: ApiClient, code: str) -> None:
    ada.post("/wallets", {"name": "main"})

    opened = ada.post("/wallets/main/currencies", {"currency": code})
    moved = ada.post(f"/wallets/main/currencies/{code}/funds", {"amount": "2.00"})
    made = ada.post("/transactions", GOOD | {"currency": code})
    bulk = ada.post("/transactions/bulk", [GOOD | {"currency": code}])

    assert opened.json()["currency"] == moved.json()["currency"] == made.json()["currency"] == "EUR"
    assert bulk.json()["results"][0]["transaction"]["currency"] == "EUR"
    assert len(ada.get("/transactions", currency=code).json()["results"]) == 3
    assert ada.get("/analytics", currency=code).json()["total_credit"] == "4.00"


# str.upper() makes an I of the dotless one.
@pytest.mark.parametrize("code", ["e", "eu", "eurr", " eur", "\u0131nr", "\ufb02k", 978, None])
def test_what_only_looks_like_a_code_is_none(ada: ApiClient, code: object) -> None:
    assert details(ada.post("/transactions", GOOD | {"currency": code})).keys() == {"#/currency"}


def test_units_are_named(ada: ApiClient) -> None:
    cents = details(
        ada.post("/transactions", GOOD | {"transaction_amount": "1.005", "currency": "EUR"})
    )
    event = {"type": "deposit", "amount": "1.00", "user_id": ada.user_id, "time": "today"}
    moment = details(ada.post("/events", event))

    assert cents["#/transaction_amount"] == "Amounts are in units of EUR, with at most 2 decimals."
    assert "in seconds since 1970-01-01T00:00:00Z" in moment["#/time"]


def test_a_body_that_is_too_large_is_told_the_limit(ada: ApiClient, settings: Any) -> None:
    settings.MAX_BODY_BYTES = 1_000

    answer = ada.post("/transactions", GOOD | {"description": "x" * 1_000}).json()

    assert answer["detail"] == "This route takes at most 1,000 bytes."


def test_what_is_no_json_is_told_where(ada: ApiClient) -> None:
    broken = ada.post("/transactions", '{\n  "currency": EUR\n}').json()
    twice = ada.post("/transactions", '{"currency": "EUR", "currency": "USD"}').json()

    assert broken["detail"] == "The body cannot be read as JSON: line 2, column 15."
    assert twice["detail"] == "An object in the body has two members of one name."
