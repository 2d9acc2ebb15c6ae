"""Any bad bulk or bad header of a write gets a 4xx that says why."""

import json
from typing import Any

import pytest

from tests.client import ApiClient
from tests.flows.refusals import ROW, invalid, mine, nothing_is_written, refused
from tests.flows.test_bad_input import AMOUNTS, DATES, FIELDS, MALFORMED, ODD
from transactions.models import Transaction

__all__ = ["mine", "nothing_is_written"]  # fixtures

BULK = "/transactions/bulk"


def send(client: ApiClient, body: Any, query: str = "", **headers: str) -> Any:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    return client.request("post", BULK + query, data, **headers)


def rows_with(**fields: Any) -> list[Any]:
    return [ROW, ROW | fields, ROW]


@pytest.mark.parametrize("name", MALFORMED)
def test_a_bulk_that_is_no_json(ada: ApiClient, name: str) -> None:
    refused(send(ada, MALFORMED[name]), 400, "malformed-body")
    refused(send(ada, MALFORMED[name], HTTP_IDEMPOTENCY_KEY="a"), 400, "malformed-body")


# Deeper than Python's recursion limit allows when it serializes what it has parsed.
@pytest.mark.parametrize("depth", [100, 400, 700, 900, 950, 980, 990])
def test_a_body_that_is_nested_deeply_with_a_key(ada: ApiClient, depth: int) -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        deep = opening * depth + "1" + closing * depth
        for path in (BULK, "/transactions"):
            answer = ada.request("post", path, deep, HTTP_IDEMPOTENCY_KEY="a")
            assert refused(answer, 400, answer.json()["code"])


@pytest.mark.parametrize("body", ["{}", '"x"', "1", "1.5", "null", "true", '{"a": 1}'])
def test_a_bulk_that_is_no_array(ada: ApiClient, body: str) -> None:
    assert invalid(send(ada, body)) == [("#", "not-a-list")]


@pytest.mark.parametrize("row", ["x", 1, True, None, [], [ROW], {}])
def test_a_row_that_is_no_transaction(ada: ApiClient, row: Any) -> None:
    answer = send(ada, [ROW, row])

    assert {where.split("/")[1] for where, _ in invalid(answer)} == {"1"}


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:12])
@pytest.mark.parametrize("field", FIELDS["/transactions"])
def test_a_value_of_the_wrong_kind_in_a_row(ada: ApiClient, field: str, value: Any) -> None:
    if field == "transaction_amount" and value == 1.5:
        value = "1.5.0"

    assert {where for where, _ in invalid(send(ada, rows_with(**{field: value})))} == {
        f"#/1/{field}"
    }


@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: ascii(amount)[:14])
def test_an_amount_that_cannot_be_recorded_in_a_row(ada: ApiClient, amount: str) -> None:
    body = json.dumps([ROW, ROW]).replace('"1.00"', amount, 1)

    assert invalid(send(ada, body)) == [("#/0/transaction_amount", AMOUNTS[amount])]


@pytest.mark.parametrize("date", DATES, ids=ascii)
def test_a_malformed_date_in_a_row(ada: ApiClient, date: str) -> None:
    (error,) = invalid(send(ada, rows_with(transaction_date=date)))

    assert error[0] == "#/1/transaction_date"


@pytest.mark.parametrize("key", ["\ud800", "\0", "", "a/b~c", "x" * 10_000, "transaction_amout"])
def test_a_field_that_is_unknown_in_a_row(ada: ApiClient, key: str) -> None:
    (error,) = invalid(send(ada, rows_with(**{key: 1})))

    assert error[1] == "unknown"
    assert error[0].startswith("#/1/")


@pytest.mark.parametrize("user_id", [0, -1, 2**63, "x", None, True, 999_999_999])
def test_a_row_for_a_user_who_cannot_be(staff: ApiClient, user_id: Any) -> None:
    (error,) = invalid(send(staff, rows_with(user_id=user_id)))

    assert error[0] == "#/1/user_id"


@pytest.mark.parametrize("query", ["?atomic=maybe", "?atomic=", "?Atomic=true", "?limit=1", "?%00"])
def test_a_parameter_of_a_bulk_that_is_wrong(ada: ApiClient, query: str) -> None:
    assert len(invalid(send(ada, [ROW], query))) == 1


def test_a_bulk_of_too_much(ada: ApiClient) -> None:
    refused(send(ada, [ROW] * 5001), 400, "too-many-rows")
    refused(send(ada, b"[" + b"{}," * 1_398_000 + b"{}]"), 400, "too-many-rows")
    refused(send(ada, [ROW | {"description": "x" * 10_000_000}]), 413, "body-too-large")


KEYS = ["", " ", "x" * 256, "x" * 100_000, "\0", "a\nb", "\x7f", "\x80", "é", "\ud800", "键"]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: ascii(key)[:12])
def test_a_malformed_idempotency_key(ada: ApiClient, anybody: ApiClient, key: str) -> None:
    key = key.strip(" ")  # as a server passes it on
    registration = {"username": "zoe", "email": "z@example.org", "password": "horse battery"}
    for client, path, body in (
        (ada, "/transactions", ROW),
        (ada, BULK, [ROW]),
        (anybody, "/auth/register", registration),
    ):
        answer = client.post(path, body, HTTP_IDEMPOTENCY_KEY=key)
        refused(answer, 400, "invalid-idempotency-key")


TAGS = ["", ",", "x", '"', '"' * 999, "W/", 'W/"x"', "**", "\0", "é", "\ud800", '"' + "x" * 99_999]


@pytest.mark.parametrize("tag", TAGS, ids=lambda tag: ascii(tag)[:12])
def test_a_malformed_tag(ada: ApiClient, mine: Transaction, tag: str) -> None:
    path = f"/transactions/{mine.pk}"
    for method, url, body in (
        ("put", path, ROW),
        ("patch", path, {"description": "Tea"}),
        ("delete", path, None),
        ("patch", "/users/me", {"full_name": "Somebody"}),
    ):
        answer = ada.request(method, url, body, HTTP_IF_MATCH=tag)
        refused(answer, 412, "precondition-failed")
    for url in (path, "/users/me", "/transactions", "/analytics"):
        assert ada.request("get", url, HTTP_IF_NONE_MATCH=tag).status_code == 200
