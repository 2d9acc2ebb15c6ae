"""Every request has an id; a trailing slash changes nothing; odd headers do no harm."""

import io
import ipaddress
import json
import logging
import re
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from fido.lib.api.middleware import Request
from tests.client import ApiClient
from transactions.models import Transaction

ROW = {
    "transaction_amount": "1.00",
    "transaction_type": "credit",
    "transaction_date": "2026-01-31",
}
UUID7 = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
INSANE = [
    "a@b.org",
    "",
    " ",
    "a b",
    "x" * 129,
    "é",
    'a"b',
    "a\tb",
    "<script>",
    "a,b",
    "a\x00",
]


@pytest.mark.parametrize("path", ["/users/me", "/nope", "/livez", "/api/schema"])
def test_every_answer_has_a_fresh_id(ada: ApiClient, path: str) -> None:
    ids = {ada.get(path).headers["X-Request-ID"] for _ in range(3)}

    assert len(ids) == 3
    assert all(re.fullmatch(UUID7, request_id) for request_id in ids)


@pytest.mark.parametrize("offered", ["a", "Root=1-67891233-abcdef", "x" * 128, "A.b:c/d+e=f-g_h"])
def test_the_clients_own_id_is_kept(anybody: ApiClient, offered: str) -> None:
    answer = anybody.request("get", "/users/me", HTTP_X_REQUEST_ID=offered)

    assert answer.headers["X-Request-ID"] == offered


@pytest.mark.parametrize("offered", INSANE, ids=ascii)
def test_a_malformed_id_is_replaced(anybody: ApiClient, offered: str) -> None:
    answer = anybody.request("get", "/users/me", HTTP_X_REQUEST_ID=offered)

    assert re.fullmatch(UUID7, answer.headers["X-Request-ID"])


def test_the_id_is_in_the_log_line(anybody: ApiClient) -> None:
    (handler,) = (h for h in logging.getLogger().handlers if h.name == "stdout")
    assert isinstance(handler, logging.StreamHandler)
    output = io.StringIO()
    before = handler.setStream(output)
    anybody.request("get", "/users/me", HTTP_X_REQUEST_ID="mine-7", QUERY_STRING="full_name=Jane")

    handler.setStream(before)
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    assert [line["request_id"] for line in lines] == ["mine-7"]
    assert (lines[0]["path"], lines[0]["status"]) == ("/api/v1/users/me", 401)


@pytest.mark.parametrize("path", ["/users/me", "/transactions", "/analytics", "/users/0"])
def test_a_trailing_slash_changes_no_answer(ada: ApiClient, path: str) -> None:
    plain, slashed = ada.get(path), ada.get(f"{path}/")

    assert (slashed.status_code, slashed.content) == (plain.status_code, plain.content)


def test_a_trailing_slash_does_not_lose_a_body(ada: ApiClient) -> None:
    answer = ada.post("/transactions/", ROW)

    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/api/v1/transactions/{answer.json()['id']}")
    assert Transaction.objects.count() == 1


@pytest.mark.parametrize("path", ["/transactions//", "//transactions"])
def test_two_slashes_are_another_path(ada: ApiClient, path: str) -> None:
    assert ada.get(path).status_code == 404


def environ(**variables: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "POST", "wsgi.input": io.BytesIO(b"body"), **variables}


@pytest.mark.parametrize(
    "charset", ["=base64", "=idna", "=utf-16", "=nope", "*=nope''x", "=\0", "=" + "x" * 20_000, ""]
)
def test_an_encoding_in_the_content_type_does_not_affect_the_query(charset: str) -> None:
    request = Request(
        environ(
            CONTENT_TYPE=f"Application/JSON; charset{charset}", QUERY_STRING="full_name=J%C3%BCrg"
        )
    )

    assert request.content_type == "application/json"
    assert request.GET["full_name"] == "Jürg"


def test_a_chunked_body_is_read_if_the_server_signals_its_end() -> None:
    chunked = {"HTTP_TRANSFER_ENCODING": "chunked"}

    assert Request(environ(**chunked, **{"wsgi.input_terminated": True})).read() == b"body"
    # Without that flag, reading would wait for ever.
    assert Request(environ(**chunked)).read() == b""


@pytest.mark.parametrize(("proxy", "secure"), [("127.0.0.1", True), ("203.0.113.9", False)])
def test_only_our_own_proxies_may_say_that_it_was_https(
    ada: ApiClient, settings: Settings, proxy: str, secure: bool
) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network("127.0.0.0/8")]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

    answer = ada.request(
        "post", "/transactions", ROW, HTTP_X_FORWARDED_PROTO="https", REMOTE_ADDR=proxy
    )

    assert answer.headers["Location"].startswith("https:") == secure


@pytest.mark.parametrize("key", ["\\000aaaaaaaaaaaa", "é", "../../x", "a b"], ids=ascii)
def test_a_malformed_session_is_ignored(db: None, anybody: ApiClient, key: str) -> None:
    answer = anybody.request("get", "/admin/", HTTP_COOKIE=f'sessionid="{key}"')

    assert answer.status_code == 302
    assert answer.headers["Location"].startswith("/admin/login/")
