"""Transactions in wallets, over HTTP: `wallet` in bodies, answers and filters, and funds."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.wallets.models import Wallet
from tests.client import ApiClient, errors_of
from tests.factories import record, wallet
from tests.wallets import assert_balanced, held
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"transaction_amount": "2.50", "transaction_type": "debit"}
BODY |= {"transaction_date": "2026-01-31", "wallet": "main"}
FUNDS = "/wallets/main/currencies/USD/funds"


@pytest.fixture
def main(ada: ApiClient) -> Wallet:
    assert ada.user
    return wallet(ada.user, USD="10.00")


def test_a_transaction_names_its_wallet_and_moves_it(ada: ApiClient, main: Wallet) -> None:
    answer = ada.post("/transactions", BODY)

    assert (answer.status_code, answer.json()["wallet"]) == (201, "main")
    assert held(main) == {"USD": Decimal("7.50")}
    one = ada.get(f"/transactions/{answer.json()['id']}")
    assert (one.json(), one.headers["ETag"]) == (answer.json(), answer.headers["ETag"])
    assert ada.get("/transactions").json()["results"] == [one.json()]


def test_a_debit_beyond_the_balance_is_refused(ada: ApiClient, main: Wallet) -> None:
    answer = ada.post("/transactions", BODY | {"transaction_amount": "10.01"})

    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient-funds")
    assert held(main) == {"USD": Decimal(10)}
    assert not Transaction.objects.exists()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("other", "unknown-wallet"),
        ("Main", "unknown-wallet"),
        ("a/b", "unknown-wallet"),
        ("x" * 21, "max-length"),
        ("", "blank"),
        (1, "invalid"),
    ],
)
def test_a_wallet_that_is_not_there_is_named_in_vain(
    ada: ApiClient, ben: ApiClient, main: Wallet, name: Any, code: str
) -> None:
    wallet(ben.user, "other")  # type: ignore[arg-type]
    row = record(main.user)

    for method, path in (("post", ""), ("put", f"/{row.pk}"), ("patch", f"/{row.pk}")):
        answer = ada.request(method, f"/transactions{path}", BODY | {"wallet": name})
        assert errors_of(answer) == [("#/wallet", code)]
    bulk = ada.post("/transactions/bulk", [BODY, BODY | {"wallet": name}])
    assert errors_of(bulk) == [("#/1/wallet", code)]
    assert held(main) == {"USD": Decimal(10)}


def test_whoever_records_for_another_names_a_wallet_of_theirs(
    staff: ApiClient, ada: ApiClient, main: Wallet
) -> None:
    mine = wallet(staff.user, "mine")  # type: ignore[arg-type]
    body = BODY | {"user_id": ada.user_id}

    assert staff.post("/transactions", body).json()["wallet"] == "main"
    assert errors_of(staff.post("/transactions", body | {"wallet": "mine"})) == [
        ("#/wallet", "unknown-wallet")
    ]
    bulk = staff.post("/transactions/bulk?atomic=false", [body, body | {"wallet": "mine"}])
    assert [result["status"] for result in bulk.json()["results"]] == [201, 400]
    assert (held(main), held(mine)) == ({"USD": Decimal(5)}, {})


def test_an_edit_moves_the_wallet_or_is_refused(ada: ApiClient, main: Wallet) -> None:
    path = f"/transactions/{ada.post('/transactions', BODY).json()['id']}"

    assert ada.patch(path, {"transaction_amount": "10.00"}).status_code == 200
    assert held(main) == {"USD": Decimal(0)}
    refused = ada.patch(path, {"transaction_amount": "10.01"})
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient-funds")
    assert ada.get(path).json()["transaction_amount"] == "10.00"
    assert ada.patch(path, {"wallet": None}).json()["wallet"] is None
    assert held(main) == {"USD": Decimal(10)}
    assert ada.put(path, BODY).json()["wallet"] == "main"
    assert held(main) == {"USD": Decimal("7.50")}
    without = {name: value for name, value in BODY.items() if name != "wallet"}
    assert ada.put(path, without).json()["wallet"] is None
    assert held(main) == {"USD": Decimal(10)}


def test_deleting_gives_back_or_is_refused(ada: ApiClient, main: Wallet) -> None:
    credit = ada.post("/transactions", BODY | {"transaction_type": "credit"}).json()["id"]
    debit = ada.post("/transactions", BODY | {"transaction_amount": "12"}).json()["id"]

    refused = ada.delete(f"/transactions/{credit}")

    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient-funds")
    assert ada.get(f"/transactions/{credit}").status_code == 200
    assert ada.delete(f"/transactions/{debit}").status_code == 204
    assert ada.delete(f"/transactions/{credit}").status_code == 204
    assert held(main) == {"USD": Decimal(10)}


@pytest.fixture
def closed(ada: ApiClient, main: Wallet) -> str:
    """The id of a transaction in a closed wallet whose name a new wallet has."""
    row = ada.post("/transactions", BODY | {"transaction_amount": "10"}).json()["id"]
    assert ada.delete("/wallets/main").status_code == 204
    assert ada.post("/wallets", {"name": "main"}).status_code == 201
    return f"/transactions/{row}"


def test_what_is_in_a_closed_wallet_stays_there(ada: ApiClient, main: Wallet, closed: str) -> None:
    shown = ada.get(closed).json()

    assert shown["wallet"] == "main"
    for answer in (
        ada.patch(closed, {"transaction_amount": "9"}),
        ada.patch(closed, {"wallet": None}),
        ada.delete(closed),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "wallet-closed")
    writable = {**BODY, "transaction_amount": "10.00", "description": "Kept"}
    assert ada.put(closed, writable).json()["description"] == "Kept"
    assert ada.get(closed).json()["wallet"] == "main"
    assert Transaction.objects.get().wallet_id == main.pk
    assert ada.get("/transactions", wallet="main").json()["results"][0]["id"] == shown["id"]
    assert_balanced(main.user)


def test_the_filter_takes_a_name(ada: ApiClient, ben: ApiClient, main: Wallet) -> None:
    assert ben.user
    theirs = wallet(ben.user, "theirs")
    record(ben.user, wallet_id=theirs.pk)
    ours = record(main.user, wallet_id=main.pk)
    record(main.user)

    def found(client: ApiClient, **filters: Any) -> list[str]:
        return [row["id"] for row in client.get("/transactions", **filters).json()["results"]]

    assert found(ada, wallet="main") == [str(ours.pk)]
    assert found(ada, wallet="main", transaction_type="debit") == []
    for nothing in ("theirs", "nobodys", "a/b", ".."):
        assert found(ada, wallet=nothing) == []
    assert ada.get("/transactions", wallet="x" * 21).status_code == 400
    lines = ada.get("/transactions/export", wallet="main").getvalue().decode().splitlines()
    assert [line.split(",")[0] for line in lines] == ["id", str(ours.pk)]


def test_staff_filter_by_the_names_of_those_whom_they_see(
    staff: ApiClient, ada: ApiClient, ben: ApiClient, main: Wallet
) -> None:
    assert ben.user
    rows = [record(main.user, wallet_id=main.pk)]
    rows.append(record(ben.user, wallet_id=wallet(ben.user).pk))
    record(ben.user, wallet_id=wallet(ben.user, "other").pk)

    def found(**filters: Any) -> set[str]:
        page = staff.get("/transactions", wallet="main", **filters).json()["results"]
        assert {row["wallet"] for row in page} == {"main"}
        return {row["id"] for row in page}

    assert found() == {str(row.pk) for row in rows}
    assert found(user_id=ben.user_id) == {str(rows[1].pk)}


def test_names_cost_one_query_a_page_and_none_without_wallets(
    ada: ApiClient, main: Wallet, redis_away: None
) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert ada.get("/transactions").status_code == 200
        return len(queries)

    record(main.user)
    without = asked()
    for name in "abc":
        record(main.user, wallet_id=wallet(main.user, name).pk)

    assert asked() == without + 1


def test_a_bulk_names_wallets_and_tells_which_row_did_not_fit(ada: ApiClient, main: Wallet) -> None:
    rows = [BODY, BODY | {"transaction_amount": "8"}, BODY, {**BODY, "wallet": None}]

    refused = ada.post("/transactions/bulk", rows)
    each = ada.post("/transactions/bulk?atomic=false", rows)

    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient-funds")
    assert refused.json()["index"] == 1
    results = each.json()["results"]
    assert [result["status"] for result in results] == [201, 409, 201, 201]
    assert results[1] == {"index": 1, "status": 409, "code": "insufficient-funds"}
    assert [results[n]["transaction"]["wallet"] for n in (0, 2, 3)] == ["main", "main", None]
    assert held(main) == {"USD": Decimal(5)}


def test_funds_are_added_and_withdrawn_and_recorded(ada: ApiClient, main: Wallet) -> None:
    added = ada.post(FUNDS, {"amount": "5.25", "description": "Gift"})
    taken = ada.post(FUNDS, {"amount": -15.25})

    assert (added.status_code, taken.status_code) == (201, 201)
    assert {name: added.json()[name] for name in ("currency", "amount")} == {
        "currency": "USD",
        "amount": "15.25",
    }
    assert taken.json()["amount"] == "0.00"
    row = taken.json()["transaction"]
    assert (row["transaction_type"], row["transaction_amount"]) == ("debit", "15.25")
    assert (row["full_name"], row["wallet"], row["currency"]) == ("Ada Lovelace", "main", "USD")
    assert ada.get(taken.headers["Location"]).json() == row
    assert ada.get("/analytics").json()["total_transactions"] == 2
    assert_balanced(main.user)


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("0", "zero"),
        (0, "zero"),
        ("-0.00", "zero"),
        ("0.001", "too-many-decimals"),
        ("1e2", "invalid"),
        ("NaN", "invalid"),
        (10**15, "too-large"),
        (-(10**15), "too-large"),
        (None, "null"),
        (True, "invalid"),
    ],
)
def test_a_malformed_amount_moves_nothing(
    ada: ApiClient, main: Wallet, amount: Any, code: str
) -> None:
    assert errors_of(ada.post(FUNDS, {"amount": amount})) == [("#/amount", code)]
    assert held(main) == {"USD": Decimal(10)}
    assert not Transaction.objects.exists()


def test_more_than_there_is_cannot_be_withdrawn(ada: ApiClient, main: Wallet) -> None:
    answer = ada.post(FUNDS, {"amount": "-10.01"})

    assert (answer.status_code, answer.json()["code"]) == (409, "insufficient-funds")
    assert held(main) == {"USD": Decimal(10)}
    assert not Transaction.objects.exists()


@pytest.mark.parametrize("code", ["EUR", "eur", "us", "XXX", "US%00", "USDUSD"])
def test_funds_need_a_currency_that_is_open(ada: ApiClient, main: Wallet, code: str) -> None:
    answer = ada.post(f"/wallets/main/currencies/{code}/funds", {"amount": "1"})

    assert answer.status_code == 404
    assert held(main) == {"USD": Decimal(10)}


def test_a_retry_of_a_withdrawal_of_everything_is_that_withdrawal(
    ada: ApiClient, main: Wallet
) -> None:
    first, second = (
        ada.post(FUNDS, {"amount": "-10"}, HTTP_IDEMPOTENCY_KEY="all") for _ in range(2)
    )

    assert (first.status_code, second.status_code) == (201, 201)
    assert second.content == first.content
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize("path", ["/wallets", "/wallets/main/currencies", "/transactions"])
def test_the_same_key_for_another_wallet_route_is_refused(
    ada: ApiClient, main: Wallet, path: str
) -> None:
    ada.post(FUNDS, {"amount": "1"}, HTTP_IDEMPOTENCY_KEY="k")

    assert ada.post(path, {"amount": "1"}, HTTP_IDEMPOTENCY_KEY="k").status_code == 422
