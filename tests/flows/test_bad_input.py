"""Any bad input gets a 4xx that says what is wrong, and nothing is written."""

import json
from typing import Any

import pytest

from accounts.models import LoginSession, User
from tests.client import ApiClient
from tests.flows.refusals import ROW, invalid, mine, nothing_is_written, refused, rows
from transactions.models import Transaction

__all__ = ["mine", "nothing_is_written"]  # fixtures

# Routes that accept a body, and whether they need a login.
WITH_BODY = [
    ("post", "/auth/register"),
    ("post", "/auth/login"),
    ("post", "/auth/refresh"),
    ("post", "/auth/logout"),
    ("post", "/users/me/password"),
    ("patch", "/users/me"),
    ("post", "/transactions"),
    ("post", "/events"),
    ("post", "/wallets"),
    ("put", "/transactions/{id}"),
    ("patch", "/transactions/{id}"),
]


def send(client: ApiClient, method: str, path: str, body: Any, mine: Transaction) -> Any:
    data = body if isinstance(body, str | bytes) else json.dumps(body)
    url = path.format(id=mine.pk)
    return client.request(method, url, data, content_type="application/json")


@pytest.mark.parametrize("body", ["[]", '"x"', "1", "1.5", "null", "true", '[{"a": 1}]'])
@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_that_is_no_object(
    ada: ApiClient, mine: Transaction, method: str, path: str, body: str
) -> None:
    answer = send(ada, method, path, body, mine)

    assert {where for where, _ in invalid(answer)} == {"#"}


MALFORMED = {
    "NaN": b'{"transaction_amount": NaN}',
    "Infinity": b'{"transaction_amount": Infinity}',
    "an exponent beyond Decimal": b'{"transaction_amount": 1e9999999999999999999}',
    "an integer of 5,000 digits": b'{"transaction_amount": ' + b"9" * 5000 + b"}",
    "deep lists": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "deep and closed": b"[" * 50_000 + b"]" * 50_000,
    "half": b'{"transaction_amount": 1',
    "a bare NUL": b"\0",
    "a raw NUL in a string": b'{"description": "\0"}',
    "invalid UTF-8": b'{"description": "\xff"}',
    "a surrogate as bytes": b'{"description": "\xed\xa0\x80"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a form": b"a=1&b=2",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_that_is_no_json(
    ada: ApiClient, mine: Transaction, method: str, path: str, name: str
) -> None:
    refused(send(ada, method, path, MALFORMED[name], mine), 400, "malformed-body")


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
def test_a_body_of_ten_megabytes(ada: ApiClient, mine: Transaction, method: str, path: str) -> None:
    body = json.dumps({"description": "x" * 10_000_000})

    refused(send(ada, method, path, body, mine), 413, "body-too-large")


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
@pytest.mark.parametrize("key", ["\ud800", "\0", "", "a/b~c", "x" * 10_000, "transaction_amout"])
def test_a_field_that_is_unknown(
    ada: ApiClient, mine: Transaction, method: str, path: str, key: str
) -> None:
    body = valid_body(path) | {key: 1}
    (error,) = invalid(send(ada, method, path, body, mine))

    assert error[1] == "unknown"


def valid_body(path: str) -> dict[str, Any]:
    bodies: dict[str, dict[str, Any]] = {
        "/auth/register": {
            "username": "zoe",
            "email": "z@example.org",
            "password": "horse battery",
        },
        "/auth/login": {"username": "zoe", "password": "x"},
        "/auth/refresh": {"refresh_token": "x"},
        "/auth/logout": {"refresh_token": "x"},
        "/users/me/password": {"current_password": "x", "new_password": "y"},
        "/users/me": {"full_name": "Zoe"},
        "/events": {"type": "deposit", "amount": "1.00", "user_id": 1, "time": 1},
        "/wallets": {"name": "savings"},
    }
    return bodies.get(path, ROW)


ODD = ["\ud800", "\0", "a\0b", [], {}, [["a"]], {"a": 1}, True, 10**400, -1, 1.5, "x" * 100_000, ""]
FIELDS = {
    "/transactions": [*ROW, "full_name", "currency", "description", "external_id"],
    "/auth/register": ["username", "email", "password", "full_name"],
    "/auth/login": ["username", "password"],
    "/auth/refresh": ["refresh_token"],
    "/users/me/password": ["current_password", "new_password"],
    "/events": ["type", "amount", "user_id", "time"],
    "/wallets": ["name"],
}


@pytest.mark.parametrize("value", ODD, ids=lambda value: ascii(value)[:12])
@pytest.mark.parametrize(
    ("path", "field"), [(path, field) for path, fields in FIELDS.items() for field in fields]
)
def test_a_value_of_the_wrong_kind(ada: ApiClient, path: str, field: str, value: Any) -> None:
    if field in ("transaction_amount", "amount") and value == 1.5:
        value = "1.5.0"
    answer = ada.post(path, json.dumps(valid_body(path) | {field: value}))

    (pointer,) = {where for where, _ in invalid(answer)}
    assert pointer == f"#/{field}"


@pytest.mark.parametrize("value", [0, -1, 2**63, 10**400, "x", "1.5", True, None, [], "\ud800"])
def test_a_user_id_that_cannot_be(staff: ApiClient, value: Any) -> None:
    answer = staff.post("/transactions", json.dumps(ROW | {"user_id": value}))

    assert [where for where, _ in invalid(answer)] == ["#/user_id"]


AMOUNTS = {
    "0": "not-positive",
    "-0.01": "not-positive",
    '"0.00"': "not-positive",
    "1e400": "too-large",
    "9" * 400: "too-large",
    '"' + "9" * 16 + '"': "too-large",
    '"' + "9" * 400 + '"': "invalid",
    '"NaN"': "invalid",
    '"Infinity"': "invalid",
    '"1e2"': "invalid",
    '"١"': "invalid",
    "0.001": "too-many-decimals",
    "1e-400": "too-many-decimals",
    "1.000": "too-many-decimals",
}


@pytest.mark.parametrize("amount", AMOUNTS, ids=lambda amount: ascii(amount)[:14])
def test_an_amount_that_cannot_be_recorded(ada: ApiClient, mine: Transaction, amount: str) -> None:
    body = json.dumps(ROW).replace('"1.00"', amount)
    for method, path in (("post", "/transactions"), ("patch", f"/transactions/{mine.pk}")):
        answer = send(ada, method, path, body, mine)
        assert invalid(answer) == [("#/transaction_amount", AMOUNTS[amount])]


DATES = ["0000-01-01", "10000-01-01", "2026-02-30", "0001-01-01T00:00:00+00:01", "now", "", "\0"]
DATES += [
    "9999-12-31T23:59:59-00:01",
    "2026-01-31T25:00:00Z",
    "2026-01-31T12:00:00+99:00",
    "\ud800",
]


@pytest.mark.parametrize("date", [*DATES, 0, None, True, [], 20260131], ids=ascii)
def test_a_malformed_date(ada: ApiClient, date: Any) -> None:
    answer = ada.post("/transactions", json.dumps(ROW | {"transaction_date": date}))

    assert [where for where, _ in invalid(answer)] == ["#/transaction_date"]


@pytest.mark.parametrize("parameter", ["start", "end", "transaction_date"])
@pytest.mark.parametrize("date", [date for date in DATES if date != "\ud800"], ids=ascii)
def test_a_malformed_period(ada: ApiClient, parameter: str, date: str) -> None:
    for path in ("/analytics", "/users/me/analytics", f"/users/{ada.user.pk}/analytics"):  # type: ignore[union-attr]
        assert invalid(ada.get(path, **{parameter: date})) == [(parameter, "invalid")]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-02", "2026-01-01"),
        ("2026-01-02T00:00:00Z", "2026-01-01"),
        ("2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
        ("2026-01-01T00:00:00-01:00", "2026-01-01T00:30:00Z"),
    ],
)
def test_an_end_before_its_start(ada: ApiClient, start: str, end: str) -> None:
    for path in ("/transactions", "/analytics"):
        assert invalid(ada.get(path, start=start, end=end)) == [("end", "invalid")]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-01-01", "2026-01-01"),
        ("2026-01-01T23:59:59Z", "2026-01-01"),
        ("2026-01-01T12:00:00Z", "2026-01-01T12:00:00Z"),
        ("0001-01-01", "9999-12-31"),
    ],
)
def test_an_end_that_is_not_before_its_start_is_fine(ada: ApiClient, start: str, end: str) -> None:
    for path in ("/transactions", "/analytics"):
        assert ada.get(path, start=start, end=end).status_code == 200


QUERIES = {
    "foo=1": ("foo", "unknown"),
    "%00=1": ("\0", "unknown"),
    "Limit=1": ("Limit", "unknown"),
    "limit=1&limit=2": ("limit", "repeated"),
    "limit=": ("limit", "invalid"),
    "full_name=": ("full_name", "blank"),
    "full_name=%00": ("full_name", "null-characters-not-allowed"),
    "full_name=" + "x" * 300: ("full_name", "max-length"),
    "currency=us": ("currency", "invalid-choice"),
    "currency=%ED%A0%80": ("currency", "invalid-choice"),
    "transaction_type=Jane": ("transaction_type", "invalid-choice"),
    "order=id": ("order", "invalid-choice"),
    "min_amount=0": ("min_amount", "not-positive"),
    "min_amount=1e400": ("min_amount", "invalid"),
    "max_amount=" + "9" * 400: ("max_amount", "invalid"),
    "user_id=0": ("user_id", "min-value"),
    "user_id=" + "9" * 30: ("user_id", "max-value"),
    "user_id=" + "9" * 5000: ("user_id", "max-string-length"),
    "x=" + "y" * 100_000: ("x", "unknown"),
    "format=xml": ("format", "unknown"),
}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query[:24])
def test_a_filter_that_is_unknown_or_has_a_bad_value(ada: ApiClient, query: str) -> None:
    assert invalid(ada.get(f"/transactions?{query}")) == [QUERIES[query]]


FOR_EXPORT = {
    query: error for query, error in QUERIES.items() if not query.lower().startswith("limit=")
} | {
    "limit=1": ("limit", "unknown"),
    "cursor=x": ("cursor", "unknown"),
    "format=xml": ("format", "invalid-choice"),
    "format=": ("format", "invalid-choice"),
    "format=CSV": ("format", "invalid-choice"),
    "format=csv&format=ndjson": ("format", "repeated"),
    "start=2026-01-02&end=2026-01-01": ("end", "invalid"),
}


@pytest.mark.parametrize("query", FOR_EXPORT, ids=lambda query: query[:24])
def test_an_export_of_what_cannot_be_is_refused_before_its_first_byte(
    ada: ApiClient, query: str
) -> None:
    assert invalid(ada.get(f"/transactions/export?{query}")) == [FOR_EXPORT[query]]


def test_a_bad_choice_is_not_repeated_in_the_answer(ada: ApiClient) -> None:
    answer = ada.post("/transactions", ROW | {"currency": "Jane Doe"})

    assert invalid(answer) == [("#/currency", "invalid-choice")]
    assert b"Jane" not in answer.content


IDS = [
    "x",
    "1",
    "%00",
    "%ff",
    "../users",
    "0" * 32,
    "01a200ab-8a9d-77ea-a22c-0742def7fca6",
    "x" * 5000,
]


@pytest.mark.parametrize("text", IDS, ids=lambda text: text[:20])
@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_an_id_of_nothing(ada: ApiClient, method: str, text: str) -> None:
    body = None if method in {"get", "delete"} else json.dumps(ROW)
    refused(ada.request(method, f"/transactions/{text}", body), 404, "not-found")


@pytest.mark.parametrize("text", IDS, ids=lambda text: text[:20])
@pytest.mark.parametrize("method", ["get", "delete"])
def test_an_import_of_nothing(ada: ApiClient, staff: ApiClient, method: str, text: str) -> None:
    for client in (ada, staff):
        refused(client.request(method, f"/imports/{text}"), 404, "not-found")


@pytest.mark.parametrize("text", ["0", "-1", "x", "９", "9" * 19, "9" * 20, "1.0", "%00", "ME"])
def test_an_unknown_user_id(staff: ApiClient, text: str) -> None:
    for path in (f"/users/{text}", f"/users/{text}/analytics"):
        refused(staff.get(path), 404, "not-found")


def test_a_record_of_somebody_else_is_404(ben: ApiClient, mine: Transaction) -> None:
    before = rows()
    for method in ("get", "delete", "put", "patch"):
        body = None if method in {"get", "delete"} else json.dumps(ROW)
        refused(ben.request(method, f"/transactions/{mine.pk}", body), 404, "not-found")
    refused(ben.get(f"/users/{mine.user_id}"), 404, "not-found")
    refused(ben.get(f"/users/{mine.user_id}/analytics"), 404, "not-found")
    assert rows() == before
    LoginSession.objects.filter(user=ben.user).delete()
    User.objects.filter(pk=ben.user.pk).delete()  # type: ignore[union-attr]
