"""A wrong token, path, method, media type or host is refused before anything is done."""

import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from django.conf import settings
from rest_framework_simplejwt.tokens import AccessToken

from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.factories import wallet
from tests.flows.refusals import ROW, invalid, mine, nothing_is_written, refused
from transactions.models import Transaction

__all__ = ["mine", "nothing_is_written"]  # fixtures


def signed(claims: dict[str, Any], key: str | None = None, algorithm: str = "HS256") -> str:
    return jwt.encode(claims, settings.JWT_SIGNING_KEY if key is None else key, algorithm)


def bad_tokens(ada: ApiClient) -> dict[str, str]:
    assert ada.tokens
    access = ada.tokens.access_token
    claims = jwt.decode(access, options={"verify_signature": False})
    late = AccessToken(access)  # type: ignore[arg-type]
    late.set_exp(lifetime=-timedelta(seconds=31))
    head, body, signature = access.split(".")
    return {
        "alg none": signed(claims, "", "none"),
        "alg none, signed": signed(claims, "", "none") + signature,
        "another key": signed(claims, "x" * 32),
        "another algorithm": signed(claims, algorithm="HS512"),
        "a refresh token": ada.tokens.refresh_token,
        "expired": str(late),
        "another epoch": signed(claims | {"epoch": "0" * 32}),
        "no epoch": signed({k: v for k, v in claims.items() if k != "epoch"}),
        "nobody": signed(claims | {"user_id": "999999999"}),
        "no signature": f"{head}.{body}.",
        "cut": access[:-3],
        "garbage": "garbage",
        "dots": "...",
        "huge": "x" * 100_000,
        "non-ASCII": "é.ü.ñ",
        "two words": f"{access} {access}",
        "empty": "",
    }


TOKENS = ["alg none", "alg none, signed", "another key", "another algorithm", "a refresh token"]
TOKENS += ["expired", "another epoch", "no epoch", "nobody", "no signature", "cut", "garbage"]
TOKENS += ["dots", "huge", "non-ASCII", "two words"]


@pytest.mark.parametrize("name", TOKENS)
def test_an_access_token_that_is_not_valid(ada: ApiClient, name: str) -> None:
    intruder = ApiClient(token=bad_tokens(ada)[name])

    for answer in (intruder.get("/users/me"), intruder.post("/transactions", ROW)):
        refused(answer, 401, "invalid-token")
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize(
    "name", [name for name in TOKENS if name not in {"a refresh token", "huge"}]
)
def test_a_refresh_token_that_is_not_valid(ada: ApiClient, name: str) -> None:
    token = bad_tokens(ada)[name]

    refused(ada.post("/auth/refresh", {"refresh_token": token}), 401, "invalid-token")
    assert ada.post("/auth/logout", {"refresh_token": token}).status_code == 204


def test_an_access_token_refreshes_nothing(ada: ApiClient) -> None:
    token = ada.tokens.access_token  # type: ignore[union-attr]

    refused(ada.post("/auth/refresh", {"refresh_token": token}), 401, "invalid-token")


@pytest.mark.parametrize("header", [None, "", "Basic YTpi", "Token x", "é"])
def test_without_a_token_it_is_401(anybody: ApiClient, header: str | None) -> None:
    extra = {} if header is None else {"HTTP_AUTHORIZATION": header}
    an_import = f"/imports/{new_id()}"
    for path in ("/users/me", "/transactions", "/analytics", "/users", "/users/1", an_import):
        refused(anybody.request("get", path, **extra), 401, "not-authenticated")


def test_what_is_for_staff_is_403(ada: ApiClient, staff: ApiClient) -> None:
    refused(ada.get("/users"), 403, "permission-denied")
    theirs = ROW | {"user_id": staff.user.pk}  # type: ignore[union-attr]
    refused(ada.post("/transactions", theirs), 403, "permission-denied")


@pytest.mark.parametrize("path", ["/nope", "", "/transactions//", "/users/me/nope"])
@pytest.mark.parametrize("method", ["get", "post", "options", "delete"])
def test_an_unknown_path_is_404(ada: ApiClient, method: str, path: str) -> None:
    refused(ada.request(method, f"/api/v1{path}"), 404, "not-found")


@pytest.mark.parametrize("method", ["FOO", "TRACE", "PUT", "DELETE", "PATCH", "get"])
@pytest.mark.parametrize(
    "path", ["/api/v1/transactions", "/api/v1/imports", "/api/schema", "/api/docs"]
)
def test_a_method_that_a_route_does_not_take(ada: ApiClient, method: str, path: str) -> None:
    if method == "get":
        method, path = "GET", "/api/v1/auth/login"
    answer = ada._client.generic(method, path, HTTP_AUTHORIZATION=f"Bearer {ada.token}")

    refused(answer, 405, "method-not-allowed")
    assert answer.headers["Allow"]


@pytest.mark.parametrize("path", ["/transactions", "/users/me", "/analytics", "/users/0"])
def test_head_answers_as_get_without_a_body(ada: ApiClient, path: str) -> None:
    head, get = ada.request("head", path), ada.get(path)

    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize(
    "path", ["/transactions", "/users/me", "/auth/login", "/analytics", "/imports"]
)
def test_options_says_what_a_route_takes(ada: ApiClient, path: str) -> None:
    answer = ada.request("options", path)

    assert answer.status_code == 200
    assert "OPTIONS" in answer.headers["Allow"]


@pytest.mark.parametrize("route", ["/transactions", "/wallets"])
def test_options_tells_of_a_route_whether_or_not_the_record_exists(
    ada: ApiClient, mine: Transaction, route: str
) -> None:
    wallet(mine.user, "main")
    known, unknown = {"/transactions": (mine.pk, new_id()), "/wallets": ("main", "none")}[route]

    answers = [ada.request("options", f"{route}/{name}") for name in (known, unknown)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize(
    "accept",
    ["text/html", "application/xml", "text/*", ";;;", "é", "*", "application/json; q*=n''x"],
)
def test_no_other_form_of_answer_is_had(ada: ApiClient, accept: str) -> None:
    refused(ada.request("get", "/transactions", HTTP_ACCEPT=accept), 406, "not-acceptable")
    created = ada.request("post", "/transactions", ROW, HTTP_ACCEPT=accept)
    refused(created, 406, "not-acceptable")


TYPES = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
TYPES += [";;;", "/", "é", "application/xml", "application/jsonp", "application/json, text/plain"]


@pytest.mark.parametrize("media_type", TYPES)
def test_a_body_of_another_media_type(ada: ApiClient, media_type: str) -> None:
    answer = ada.request("post", "/transactions", json.dumps(ROW), content_type=media_type)

    refused(answer, 415, "unsupported-media-type")


def test_an_unknown_host(ada: ApiClient) -> None:
    for host in ("evil.example/", "a b", "evil.example:x"):
        refused(ada.request("get", "/users/me", HTTP_HOST=host), 400, "bad-request")


def test_of_very_many_errors_a_hundred_are_named(anybody: ApiClient) -> None:
    unknown = {f"k{number}": 1 for number in range(20_000)}

    answer = anybody.post("/auth/login", {"username": "ada", "password": "x"} | unknown)

    assert invalid(answer) == [(f"#/k{number}", "unknown") for number in range(100)]


@pytest.mark.parametrize(
    "again",
    ['"transaction_amount": "2.00"', '"transaction\\u005famount": "1.00"', '"x": {"a": 1, "a": 1}'],
)
def test_a_name_that_stands_twice_is_malformed(ada: ApiClient, again: str) -> None:
    body = f"{json.dumps(ROW)[:-1]}, {again}}}"

    refused(ada.post("/transactions", body), 400, "malformed-body")
