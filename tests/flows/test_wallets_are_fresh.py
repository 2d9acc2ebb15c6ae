"""No cached answer about wallets survives a change to its data."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.client import ApiClient
from tests.imports import HEADER, csv, imported

pytestmark = pytest.mark.django_db(transaction=True)
ROW = {"transaction_amount": "1.00", "transaction_type": "credit", "wallet": "main"}
ROW |= {"transaction_date": "2026-01-31", "external_id": "a"}


def everything(client: ApiClient, name: str = "main") -> dict[str, Any]:
    """What each cached route says about a wallet, each requested until its answer is cached."""
    paths = [
        "/wallets",
        f"/wallets/{name}/currencies",
        f"/wallets/{name}/currencies_converted?to=USD",
        "/currencies_converted?to=USD",
        f"/transactions?wallet={name}",
    ]
    answers = {path: client.get(path) for path in paths}
    assert {client.get(path).headers["X-Cache"] for path in paths} == {"hit"}
    return {path.replace(name, "X"): answer.json() for path, answer in answers.items()}


def path_of(client: ApiClient) -> str:
    (row,) = client.get("/transactions", external_id="a").json()["results"]
    return f"/transactions/{row['id']}"


def funds(client: ApiClient) -> Any:
    return client.post("/wallets/main/currencies/USD/funds", {"amount": "1"})


def edit(client: ApiClient) -> Any:
    return client.patch(path_of(client), {"transaction_amount": "2"})


def delete(client: ApiClient) -> Any:
    return client.delete(path_of(client))


def post(client: ApiClient) -> Any:
    return client.post("/transactions", ROW | {"external_id": "b"})


def bulk(client: ApiClient) -> Any:
    return client.post("/transactions/bulk", [ROW | {"external_id": "b"}])


def run_import(client: ApiClient) -> Any:
    row = imported(client, csv("2026-01-31,1,credit,main", header=f"{HEADER},wallet"))
    assert row.rows_created == 1


HELD = ["/wallets/X/currencies", "/wallets/X/currencies_converted?to=USD"]
HELD += ["/currencies_converted?to=USD", "/transactions?wallet=X"]


@pytest.mark.parametrize("write", [funds, edit, delete, post, bulk, run_import])
def test_what_moves_a_balance_is_seen_at_once(
    ada: ApiClient, write: Callable[[ApiClient], Any]
) -> None:
    ada.post("/wallets", {"name": "main"})
    ada.post("/transactions", ROW)
    before = everything(ada)

    write(ada)

    after = everything(ada)
    assert [path for path in HELD if after[path] == before[path]] == []


def test_a_new_name_a_new_currency_and_a_closing_are_seen_at_once(ada: ApiClient) -> None:
    ada.post("/wallets", {"name": "main"})
    ada.post("/transactions", ROW)
    everything(ada)

    ada.patch("/wallets/main", {"name": "first"})

    renamed = everything(ada, "first")
    assert [row["name"] for row in renamed["/wallets"]["results"]] == ["first"]
    assert [row["wallet"] for row in renamed["/transactions?wallet=X"]["results"]] == ["first"]
    assert renamed["/currencies_converted?to=USD"]["lines"][0]["wallet"] == "first"
    assert ada.get("/wallets/main/currencies").status_code == 404
    assert ada.get("/transactions", wallet="main").json()["results"] == []

    ada.post("/wallets/first/currencies", {"currency": "EUR"})
    assert len(everything(ada, "first")["/wallets/X/currencies"]["results"]) == 2

    ada.delete(path_of(ada))
    everything(ada, "first")
    assert ada.delete("/wallets/first").status_code == 204
    assert [ada.get("/wallets").json()["results"] for _ in range(2)] == [[], []]
    ada.post("/wallets", {"name": "new"})
    assert len(ada.get("/wallets").json()["results"]) == 1
    ada.delete("/wallets/new")
    assert ada.get("/wallets/first/currencies").status_code == 404
    assert ada.get("/wallets/first/currencies_converted", to="USD").status_code == 404
    assert ada.get("/currencies_converted", to="USD").json()["lines"] == []
