"""GET /currencies."""

from django.db import connection
from django.test.utils import CaptureQueriesContext

from fido.lib.values.money import CURRENCIES
from tests.client import ApiClient


def test_each_currency_has_its_name_and_decimals(anybody: ApiClient) -> None:
    answer = anybody.get("/currencies")

    assert answer.status_code == 200
    rows = answer.json()["results"]
    assert [row["code"] for row in rows] == sorted(CURRENCIES)
    by_code = {row["code"]: row for row in rows}
    assert by_code["EUR"] == {"code": "EUR", "name": "Euro", "decimals": 2}
    assert (by_code["JPY"]["decimals"], by_code["KWD"]["decimals"]) == (0, 3)
    assert all(row["name"] for row in rows)


def test_a_client_that_has_them_is_not_sent_them_again(anybody: ApiClient) -> None:
    first = anybody.get("/currencies")
    again = anybody.request("get", "/currencies", HTTP_IF_NONE_MATCH=first["ETag"])

    assert (again.status_code, again.content) == (304, b"")


def test_they_ask_no_database(anybody: ApiClient, db: None) -> None:
    with CaptureQueriesContext(connection) as queries:
        anybody.get("/currencies")

    assert len(queries) == 0


def test_a_token_is_neither_needed_nor_checked(db: None) -> None:
    assert ApiClient(token="no token").get("/currencies").status_code == 200
