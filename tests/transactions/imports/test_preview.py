"""`POST /imports?dry_run=true`: what an import would do, and that nothing of it is done."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.flows.refusals import rows as everything
from tests.imports import csv, imported, upload
from tests.transactions.mappings.files import ALL, content
from tests.transactions.statements.files import READABLE
from tests.transactions.statements.files import content as statement
from transactions.imports import preview as previews

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


@pytest.fixture
def nothing_is_written(ada: ApiClient, folder: Path) -> Iterator[None]:
    before = everything()
    yield
    assert everything() == before
    assert not folder.exists() or list(folder.iterdir()) == []


def previewed(client: ApiClient, data: bytes, **fields: Any) -> Any:
    return upload(client, data, query="?dry_run=true", **fields)


def told(client: ApiClient, data: bytes, **fields: Any) -> dict[str, Any]:
    answer = previewed(client, data, **fields)
    assert answer.status_code == 200, answer.content
    found: dict[str, Any] = answer.json()
    return found


ROWS = csv(
    "2026-01-31,1.50,credit,a,EUR,Jane Doe",
    "2026-02-01,2.25,debit,b,EUR,Jane Doe",
    "2026-02-01,1,debit,b,EUR,Jane Doe",
    "never,1,debit,c,EUR,Jane Doe",
    header="transaction_date,transaction_amount,transaction_type,external_id,currency,full_name",
)


@pytest.mark.usefixtures("nothing_is_written")
def test_it_tells_what_would_become_of_each_row(ada: ApiClient) -> None:
    body = told(ada, ROWS)

    assert body["rows"][0] == {
        "line": 2,
        "user_id": ada.user_id,
        "full_name": "Jane Doe",
        "transaction_date": "2026-01-31T00:00:00Z",
        "transaction_amount": "1.50",
        "transaction_type": "credit",
        "currency": "EUR",
        "description": None,
        "external_id": "a",
        "wallet": None,
        "category": None,
    }
    counts = [body[f"rows_{name}"] for name in ("read", "acceptable", "refused", "pending")]
    assert counts == [4, 2, 2, 0]
    assert [(error["line"], error["column"]) for error in body["errors"]] == [
        (5, "transaction_date")
    ]
    assert body["duplicates"]["recorded_lines"] == [4]
    assert body["period"] == {"start": "2026-01-31", "end": "2026-02-01"}
    assert body["by_currency"] == [
        {
            "currency": "EUR",
            "total_transactions": 2,
            "total_credit": "1.50",
            "total_debit": "2.25",
        }
    ]
    assert (body["format"], body["mapping"], body["guessed"]) == ("csv", None, False)
    assert body["complete"] is True


@pytest.mark.parametrize("name", ALL)
def test_the_import_does_what_it_told(ada: ApiClient, name: str) -> None:
    mapping = ALL[name].mapping
    fields = {} if mapping is None else {"mapping": json.dumps(mapping)}

    body = told(ada, content(name), **fields)
    row = imported(ada, content(name), **fields)

    assert (body["rows_acceptable"], body["rows_refused"]) == (row.rows_created, row.rows_refused)
    assert body["mapping"] == row.layout["mapping"]
    assert body["errors"] == row.errors
    again = told(ada, content(name), **fields)
    assert (again["rows_acceptable"], again["duplicates"]["recorded"]) == (0, row.rows_created)
    kept = ("transaction_date", "transaction_amount", "full_name", "description", "external_id")
    shown = ada.get("/transactions", limit=100).json()["results"]
    assert sorted(str([each[name] for name in kept]) for each in body["rows"]) == sorted(
        str([each[name] for name in kept]) for each in shown
    )


@pytest.mark.parametrize("name", READABLE)
def test_the_import_of_a_statement_does_what_it_told(ada: ApiClient, name: str) -> None:
    body = told(ada, statement(name))
    row = imported(ada, statement(name))

    assert (body["rows_acceptable"], body["rows_refused"]) == (row.rows_created, row.rows_refused)
    assert (body["rows_pending"], body["warnings"]) == (row.rows_pending, row.warnings)


def test_it_tells_the_balances_of_a_statement(ada: ApiClient) -> None:
    body = told(ada, statement("camt/camt053.v2.minimal.xml"))

    assert body["balances"] == [
        {"statement": 1, "moment": "opening", "amount": "18.15", "currency": "EUR"},
        {"statement": 1, "moment": "closing", "amount": "-27.00", "currency": "SEK"},
    ]


def test_what_is_alike_is_hinted_at(ada: ApiClient) -> None:
    assert ada.user
    recorded = {"transaction_amount": Decimal("1.5"), "transaction_type": "credit"}
    at = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    record(ada.user, **recorded, currency="EUR", transaction_date=at)

    body = told(ada, ROWS)

    assert body["duplicates"]["similar_lines"] == [2]
    assert body["rows_acceptable"] == 2


def test_whoever_may_not_see_them_is_told_nothing_of_others_transactions(ada: ApiClient) -> None:
    clerk = ApiClient(UserFactory.create(is_staff=True))
    clerk.grant("transactions.add_transaction")

    assert told(clerk, ROWS, user_id=ada.user_id)["duplicates"]["similar"] is None

    clerk.grant("transactions.view_transaction")

    assert told(clerk, ROWS, user_id=ada.user_id)["duplicates"]["similar"] == 0


@pytest.mark.usefixtures("nothing_is_written")
def test_others_may_not_be_rehearsed_for(ada: ApiClient) -> None:
    assert previewed(ada, ROWS, user_id=ada.user_id + 1).status_code == 403


@pytest.mark.usefixtures("nothing_is_written")
@pytest.mark.parametrize(
    "data", [b"", b"\0", b"a,b\n1,2\n", statement("ofx/multiple_accounts.ofx")]
)
def test_what_cannot_be_read_is_a_refusal_and_leaves_nothing(ada: ApiClient, data: bytes) -> None:
    assert previewed(ada, data).status_code in {200, 400}


@pytest.mark.usefixtures("nothing_is_written")
def test_it_claims_no_key(ada: ApiClient) -> None:
    first, second = (previewed(ada, ROWS, key="the key") for _ in range(2))

    assert first.status_code == second.status_code == 200


def test_a_key_of_an_import_is_not_answered_by_a_rehearsal(ada: ApiClient) -> None:
    assert upload(ada, ROWS, key="the key").status_code == 202

    assert previewed(ada, ROWS, key="the key").json()["code"] == "idempotency-key-reused"


def test_of_a_long_file_it_tells_the_beginning(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "MAX_ROWS", 3)

    body = told(ada, ROWS)

    assert (body["complete"], body["rows_read"]) == (False, 3)


@pytest.mark.parametrize("value", ["1", "yes", ""])
def test_the_parameter_is_true_or_false(ada: ApiClient, value: str) -> None:
    answer = ada.request("post", f"/imports?dry_run={value}", {})

    assert answer.status_code in {400, 415}
