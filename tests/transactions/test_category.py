"""A category, the client's own free text, is in all inputs and outputs of a transaction."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client

from tests.client import ApiClient, errors_of
from tests.factories import StaffFactory, record
from tests.imports import HEADER, csv, imported
from transactions.models import Transaction

BODY = {
    "transaction_amount": "12.50",
    "transaction_type": "debit",
    "transaction_date": "2026-01-31",
}


def test_it_is_stored_as_sent_without_surrounding_spaces(ada: ApiClient) -> None:
    answer = ada.post("/transactions", BODY | {"category": "  Eating out "})

    assert answer.status_code == 201
    assert answer.json()["category"] == "Eating out"
    assert Transaction.objects.get().category == "Eating out"


def test_patch_sets_it_and_put_without_it_clears_it(ada: ApiClient) -> None:
    path = ada.post("/transactions", BODY).headers["Location"]

    assert ada.patch(path, {"category": "food"}).json()["category"] == "food"
    assert ada.patch(path, {"description": "Bread"}).json()["category"] == "food"
    assert ada.put(path, BODY | {"category": "fun"}).json()["category"] == "fun"
    assert ada.put(path, BODY).json()["category"] is None


@pytest.mark.parametrize(
    ("category", "code"),
    [("x" * 51, "max-length"), ("", "blank"), (" ", "blank"), (7, "invalid"), ("a\0b", "null")],
)
def test_an_invalid_category_is_refused(ada: ApiClient, category: Any, code: str) -> None:
    ((pointer, refused_as),) = errors_of(ada.post("/transactions", BODY | {"category": category}))

    assert pointer == "#/category"
    assert refused_as.startswith(code)
    assert not Transaction.objects.exists()


def test_the_database_refuses_an_empty_one(ada: ApiClient) -> None:
    assert ada.user
    row = record(ada.user)

    with pytest.raises(IntegrityError, match="category_is_not_empty"):
        Transaction.objects.filter(user_id=row.user_id, id=row.pk).update(category="")


def test_bulks_and_funds_accept_it(ada: ApiClient) -> None:
    ada.post("/wallets", {"name": "main"})
    ada.post("/wallets/main/currencies", {"currency": "USD", "amount": "10"})

    bulk = ada.post("/transactions/bulk", [BODY | {"category": "food"}, BODY]).json()
    funds = ada.post("/wallets/main/currencies/USD/funds", {"amount": "-1", "category": "fun"})

    assert [row["transaction"]["category"] for row in bulk["results"]] == ["food", None]
    assert funds.json()["transaction"]["category"] == "fun"


def test_the_filter_finds_exact_matches_of_the_caller_only(ada: ApiClient, ben: ApiClient) -> None:
    for client, category in ((ada, "food"), (ada, "foods"), (ada, None), (ben, "food")):
        client.post("/transactions", BODY | {"category": category})

    found = ada.get("/transactions", category="food").json()["results"]

    assert [(row["user_id"], row["category"]) for row in found] == [(ada.user_id, "food")]
    assert ada.get("/transactions", category="").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_imports_and_exports_have_it(ada: ApiClient, settings: Any, tmp_path: Path) -> None:
    settings.IMPORTS_DIR = str(tmp_path / "spool")
    rows = [f"2026-01-31,1.00,debit,{category}" for category in ("=food", "", "x" * 51)]

    done = imported(ada, csv(*rows, header=f"{HEADER},category"))

    assert (done.rows_created, done.rows_refused) == (2, 1)
    assert [(each["column"], each["code"]) for each in done.errors] == [("category", "max-length")]
    lines = b"".join(ada.get("/transactions/export", format="ndjson").streaming_content)
    assert {json.loads(line)["category"] for line in lines.splitlines()} == {"=food", None}
    table = b"".join(ada.get("/transactions/export").streaming_content).decode()
    assert "'=food" in table


def test_staff_see_it_on_the_records_page(ada: ApiClient, client: Client) -> None:
    assert ada.user
    row = record(ada.user, category="Eating out")
    client.force_login(StaffFactory.create())

    page = client.get(f"/admin/transactions/transaction/{row.pk}/change/").content.decode()

    assert "field-category" in page
    assert "Eating out" in page
