"""`/wallets`: the caller's own, by name."""

from typing import Any
from urllib.parse import quote

import pytest

from accounts.wallets.models import Balance, Wallet
from tests.client import ApiClient, errors_of
from tests.factories import wallet

pytestmark = pytest.mark.django_db


@pytest.fixture
def main(ada: ApiClient) -> Wallet:
    assert ada.user
    return wallet(ada.user, USD="10.00")


def names(client: ApiClient) -> list[str]:
    return [row["name"] for row in client.get("/wallets").json()["results"]]


def balances(client: ApiClient, name: str = "main") -> list[dict[str, str]]:
    rows: list[dict[str, str]] = client.get(f"/wallets/{name}/currencies").json()["results"]
    return rows


def test_a_wallet_is_opened_and_read(ada: ApiClient) -> None:
    made = ada.post("/wallets", {"name": "Holidays"})

    assert made.status_code == 201
    row = Wallet.objects.get()
    times = {"created_at": made.json()["created_at"], "updated_at": made.json()["updated_at"]}
    assert made.json() == {"name": "Holidays"} | times
    assert made.headers["Location"] == "http://testserver/api/v1/wallets/Holidays"
    read = ada.get("/wallets/Holidays")
    assert (read.json(), read.headers["ETag"]) == (made.json(), made.headers["ETag"])
    assert (row.user_id, row.version) == (ada.user_id, 1)
    assert names(ada) == ["Holidays"]


@pytest.mark.parametrize(
    "name",
    ["a b", "Ä?#%", "été", "貯金", "100%25", "{x}", "a.b", "...", "+", "x" * 20, "currencies"],
)
def test_what_a_path_can_hold_is_a_name(ada: ApiClient, name: str) -> None:
    location = ada.post("/wallets", {"name": name}).headers["Location"]

    assert ada.get(location).json()["name"] == name
    assert ada.get(f"/wallets/{quote(name)}/currencies").json()["results"] == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "blank"),
        ("  ", "blank"),
        ("x" * 21, "max-length"),
        ("a/b", "invalid"),
        ("a\\b", "invalid"),
        (".", "invalid"),
        ("..", "invalid"),
        ("a\nb", "invalid"),
        ("a\u202eb", "invalid"),
        ("a\u2028b", "invalid"),
        ("a\0b", "invalid"),
        ("\ud800", "invalid"),
        (None, "null"),
        (1, "invalid"),
        ([], "invalid"),
    ],
)
def test_what_it_cannot_is_none(ada: ApiClient, name: Any, code: str) -> None:
    assert errors_of(ada.post("/wallets", {"name": name})) == [("#/name", code)]
    assert not Wallet.objects.exists()


def test_one_way_to_write_an_accent(ada: ApiClient) -> None:
    composed, decomposed = "\u00e9t\u00e9", "e\u0301te\u0301"
    ada.post("/wallets", {"name": f" {decomposed} "})

    assert ada.get(f"/wallets/{quote(decomposed)}").json()["name"] == composed
    assert errors_of(ada.post("/wallets", {"name": composed})) == [("#/name", "taken")]


def test_a_name_is_taken_for_its_user_alone(ada: ApiClient, ben: ApiClient, main: Wallet) -> None:
    assert errors_of(ada.post("/wallets", {"name": "main"})) == [("#/name", "taken")]
    assert ben.post("/wallets", {"name": "main"}).status_code == 201
    assert ada.post("/wallets", {"name": "Main"}).status_code == 201


def test_there_is_a_limit(ada: ApiClient, main: Wallet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.wallets.operations.MAX_WALLETS", 1)

    answer = ada.post("/wallets", {"name": "more"})

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-wallets")


def test_a_wallet_is_opened_once_for_a_key(ada: ApiClient) -> None:
    first, second = (
        ada.post("/wallets", {"name": "a"}, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)
    )

    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert Wallet.objects.count() == 1


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_wallet_is_renamed(ada: ApiClient, main: Wallet, method: str) -> None:
    answer = ada.request(method, "/wallets/main", {"name": "first"})

    assert (answer.status_code, answer.json()["name"]) == (200, "first")
    assert ada.get("/wallets/main").status_code == 404
    assert ada.get("/wallets/first").headers["ETag"] == answer.headers["ETag"]
    assert balances(ada, "first") == [{"currency": "USD", "amount": "10.00"}]


def test_a_taken_name_is_not_given_to_another(ada: ApiClient, main: Wallet) -> None:
    ada.post("/wallets", {"name": "other"})

    assert errors_of(ada.put("/wallets/other", {"name": "main"})) == [("#/name", "taken")]
    assert errors_of(ada.put("/wallets/other", {})) == [("#/name", "required")]
    assert ada.patch("/wallets/other", {}).json()["name"] == "other"
    assert names(ada) == ["main", "other"]


def test_a_wallet_that_holds_money_is_not_closed(ada: ApiClient, main: Wallet) -> None:
    answer = ada.delete("/wallets/main")

    assert (answer.status_code, answer.json()["code"]) == (409, "wallet-holds-money")
    assert balances(ada) == [{"currency": "USD", "amount": "10.00"}]


def test_an_empty_wallet_is_closed_and_its_name_is_free(ada: ApiClient, main: Wallet) -> None:
    ada.post("/wallets/main/currencies/USD/funds", {"amount": "-10"})

    assert ada.delete("/wallets/main").status_code == 204

    assert ada.get("/wallets/main").status_code == 404
    assert ada.delete("/wallets/main").status_code == 404
    assert names(ada) == []
    assert ada.post("/wallets", {"name": "main"}).status_code == 201
    assert balances(ada) == []


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_a_wallet_is_changed_only_as_it_was_seen(ada: ApiClient, main: Wallet, method: str) -> None:
    seen = ada.get("/wallets/main").headers["ETag"]
    ada.post("/wallets/main/currencies", {"currency": "EUR"})
    body = None if method == "delete" else {"name": "x"}

    answer = ada.request(method, "/wallets/main", body, HTTP_IF_MATCH=seen)

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
    assert names(ada) == ["main"]


def test_what_is_not_changed_is_not_sent_again(ada: ApiClient, main: Wallet) -> None:
    for path in ("/wallets/main", "/wallets", "/wallets/main/currencies"):
        etag = ada.get(path).headers["ETag"]
        assert ada.request("get", path, HTTP_IF_NONE_MATCH=etag).status_code == 304


def test_a_currency_is_opened(ada: ApiClient, main: Wallet) -> None:
    with_amount = ada.post("/wallets/main/currencies", {"currency": "KWD", "amount": "1.5"})
    without = ada.post("/wallets/main/currencies", {"currency": "JPY"})

    assert (with_amount.status_code, without.status_code) == (201, 201)
    assert with_amount.json() == {"currency": "KWD", "amount": "1.500"}
    assert without.json() == {"currency": "JPY", "amount": "0"}
    assert [row["currency"] for row in balances(ada)] == ["JPY", "KWD", "USD"]
    assert Balance.objects.get(currency="KWD").opening == Balance.objects.get(currency="KWD").amount


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"currency": "USD"}, ("#/currency", "taken")),
        ({"currency": "XXX"}, ("#/currency", "invalid-choice")),
        ({"currency": "usd"}, ("#/currency", "taken")),
        ({}, ("#/currency", "required")),
        ({"currency": "EUR", "amount": "-0.01"}, ("#/amount", "negative")),
        ({"currency": "EUR", "amount": "0.001"}, ("#/amount", "too-many-decimals")),
        ({"currency": "EUR", "amount": 10**15}, ("#/amount", "too-large")),
        ({"currency": "EUR", "amount": "NaN"}, ("#/amount", "invalid")),
        ({"currency": "EUR", "amout": "1"}, ("#/amout", "unknown")),
    ],
)
def test_a_currency_that_cannot_be_opened(
    ada: ApiClient, main: Wallet, body: dict[str, Any], error: tuple[str, str]
) -> None:
    assert errors_of(ada.post("/wallets/main/currencies", body)) == [error]
    assert balances(ada) == [{"currency": "USD", "amount": "10.00"}]


def test_nothing_at_all_is_an_opening_amount(ada: ApiClient, main: Wallet) -> None:
    for currency, nothing in (("EUR", 0), ("JPY", "0"), ("GBP", "0.00")):
        body = {"currency": currency, "amount": nothing}
        assert ada.post("/wallets/main/currencies", body).status_code == 201
    raw = ada.request(
        "post", "/wallets/main/currencies", b'{"currency": "CHF", "amount": -0e999999}'
    )
    assert (raw.status_code, raw.json()["amount"]) == (201, "0.00")


def test_lists_come_in_pages(ada: ApiClient, main: Wallet) -> None:
    ada.post("/wallets", {"name": "other"})
    ada.post("/wallets/main/currencies", {"currency": "EUR"})

    for path, key in (("/wallets", "name"), ("/wallets/main/currencies", "currency")):
        first = ada.get(path, limit=1).json()
        second = ada.get(first["next"]).json()
        found = [page["results"][0][key] for page in (first, second)]
        assert (found, second["next"]) == ([["main", "other"], ["EUR", "USD"]][key != "name"], None)


@pytest.mark.parametrize("name", ["a?b", "a#b", "a%2Fb", "50%", "a&b;c=d+e f", "żółw"])
def test_the_links_lead_on_whatever_the_name(ada: ApiClient, main: Wallet, name: str) -> None:
    path = f"/wallets/{quote(name, safe='')}/currencies"
    ada.post("/wallets", {"name": name})
    for currency in ("EUR", "USD"):
        ada.post(path, {"currency": currency})

    second = ada.get(ada.get(path, limit=1).json()["next"]).json()
    first = ada.get(second["previous"]).json()

    assert second["results"] == [{"currency": "USD", "amount": "0.00"}]
    assert first["results"] == [{"currency": "EUR", "amount": "0.00"}]


@pytest.mark.django_db(transaction=True)  # inside another transaction nothing is cached
def test_a_wallet_called_none_is_not_all_of_them(ada: ApiClient, main: Wallet) -> None:
    everything = ada.get("/currencies_converted", to="USD").json()
    assert everything["lines"] != []

    assert ada.get("/wallets/None/currencies_converted", to="USD").status_code == 404
    ada.post("/wallets", {"name": "None"})
    assert ada.get("/wallets/None/currencies_converted", to="USD").json()["lines"] == []
    assert ada.get("/currencies_converted", to="USD").json() == everything


ROUTES = [
    ("get", "/wallets/main", None),
    ("put", "/wallets/main", {"name": "mine"}),
    ("patch", "/wallets/main", {"name": "mine"}),
    ("delete", "/wallets/main", None),
    ("get", "/wallets/main/currencies", None),
    ("post", "/wallets/main/currencies", {"currency": "EUR", "amount": "5"}),
    ("get", "/wallets/main/currencies_converted?to=USD", None),
    ("post", "/wallets/main/currencies/USD/funds", {"amount": "-1"}),
    ("post", "/wallets/main/currencies/USD/funds", {"amount": "1"}),
]


def stored() -> Any:
    return list(Wallet.objects.values()), list(Balance.objects.values())


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_a_wallet_of_somebody_else_is_not_there(
    main: Wallet, ben: ApiClient, staff: ApiClient, route: tuple[str, str, Any]
) -> None:
    before = stored()
    method, path, body = route

    for other in (ben, staff):
        answer = other.request(method, path, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        nobodys = other.request(method, path.replace("main", "nobodys"), body)
        assert nobodys.json() | {"instance": ""} == answer.json() | {"instance": ""}

    assert stored() == before
    assert names(ben) == []
    assert ben.get("/currencies_converted", to="USD").json()["lines"] == []


@pytest.mark.parametrize(("method", "path", "body"), [*ROUTES, ("get", "/wallets", None)])
def test_without_a_login_there_is_none(
    main: Wallet, anybody: ApiClient, method: str, path: str, body: Any
) -> None:
    assert anybody.request(method, path, body).status_code == 401


@pytest.mark.parametrize("name", ["a%00b", "%2e%2e", "x" * 21, "%F0%28%8C%28", "a%5Cb", "%20"])
def test_a_name_that_no_wallet_can_have_is_not_there(
    ada: ApiClient, main: Wallet, name: str
) -> None:
    for method, path, body in ROUTES:
        answer = ada.request(method, path.replace("main", name), body)
        assert answer.status_code == 404, (method, path)
