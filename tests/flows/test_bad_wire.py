"""Bad input that only a socket can send, against a real gunicorn."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.webserver import WebServer, serving

LOGIN = json.dumps({"username": "nobody", "password": "x"}).encode()
TEN_MEGABYTES = b'{"username": "' + b"x" * 10_000_000 + b'"}'
PATH = "/api/v1/auth/login"

# Without a test that requests it there would be no test database.
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[WebServer]:
    with serving() as server:
        yield server


def log_in(server: WebServer, body: Any, media_type: str = "application/json") -> Any:
    return server.request("POST", PATH, body, Content_Type=media_type)


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert json.loads(answer.content)["code"] == code


def status_of(data: bytes) -> bytes:
    return data.split(b"\r\n", 1)[0]


def chunks(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


def test_a_body_in_chunks_is_read_whole(server: WebServer) -> None:
    # The login is wrong; this answer shows that its fields arrived.
    refused(log_in(server, chunks(LOGIN, 7)), 401, "invalid-credentials")


def test_ten_megabytes_are_too_large_in_one_piece_and_in_chunks(server: WebServer) -> None:
    refused(log_in(server, TEN_MEGABYTES), 413, "body-too-large")
    refused(log_in(server, chunks(TEN_MEGABYTES, 100_000)), 413, "body-too-large")


def test_garbage_in_chunks_is_malformed(server: WebServer) -> None:
    refused(log_in(server, chunks(b"[" * 100_000, 1000)), 400, "malformed-body")


def post(body: bytes, *headers: str) -> bytes:
    lines = [f"POST {PATH} HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    return "\r\n".join([*lines, "Connection: close", *headers, "", ""]).encode("latin-1") + body


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (len(LOGIN) - 1, b"HTTP/1.1 400 Bad Request"),
        (0, b"HTTP/1.1 400 Bad Request"),
        (-1, b"HTTP/1.1 400 Bad Request"),
        ("x", b"HTTP/1.1 400 Bad Request"),
        (len(LOGIN), b"HTTP/1.1 401 Unauthorized"),
        # More than arrives: a closed JSON object is complete.
        (len(LOGIN) + 100, b"HTTP/1.1 401 Unauthorized"),
        (10**30, b"HTTP/1.1 401 Unauthorized"),
    ],
)
def test_a_length_that_lies_is_a_400(server: WebServer, length: Any, status: bytes) -> None:
    assert status_of(server.raw(post(LOGIN, f"Content-Length: {length}"))) == status


@pytest.mark.parametrize(
    "data",
    [
        post(b"zz\r\nnope", "Transfer-Encoding: chunked"),
        post(b"5\r\n{", "Transfer-Encoding: chunked"),
        post(LOGIN, f"Content-Length: {len(LOGIN)}", "Transfer-Encoding: chunked"),
        post(LOGIN, f"Content-Length: {len(LOGIN)}", f"Content-Length: {len(LOGIN)}"),
        b"GET /api/v1/users/me HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        b"GET /api/v1/users/" + b"9" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /api/v1/users/me?" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x00\xff\x01\x00\x01\xfc\x03\x03 no TLS here\r\n\r\n",
    ],
    ids=lambda data: ascii(data[-20:]),
)
def test_what_is_hardly_http_is_no_error_of_ours(server: WebServer, data: bytes) -> None:
    answer = server.raw(data)

    assert not answer or status_of(answer).split()[1].startswith(b"4"), answer
    assert server.request("GET", "/livez").status == 200


@pytest.mark.parametrize(
    "charset", ["=nope", "=base64", "=idna", "=undefined", "=utf-16", "*='", "=", ""]
)
def test_an_odd_charset_harms_nothing(server: WebServer, charset: str) -> None:
    media_type = f"application/json; charset{charset}"
    refused(log_in(server, LOGIN, media_type), 401, "invalid-credentials")

    listed = server.request("GET", "/api/v1/transactions?full_name=%ff", Content_Type=media_type)
    refused(listed, 401, "not-authenticated")


def test_an_encoding_that_nobody_knows_is_another_media_type(server: WebServer) -> None:
    answer = log_in(server, LOGIN, "application/json; charset*=nope''x")

    refused(answer, 415, "unsupported-media-type")


def test_half_a_body_is_a_400(server: WebServer) -> None:
    answer = server.raw(post(LOGIN[:-5], f"Content-Length: {len(LOGIN)}"))

    assert status_of(answer) == b"HTTP/1.1 400 Bad Request"
    assert b"malformed-body" in answer


def test_nothing_of_this_was_an_error_in_the_log(server: WebServer) -> None:
    assert "Traceback" not in server.log()


@pytest.mark.parametrize("encoding", ["bogus", "idna", "undefined", "utf-16", "base64"])
def test_a_forms_boundary_in_an_encoding_that_is_none(server: WebServer, encoding: str) -> None:
    media_type = f"multipart/form-data; boundary*={encoding}'en'%41%ff"
    # With such a cookie Django reads a form before any view.
    cookie = f"csrftoken={'a' * 32}"

    answer = server.request("POST", "/admin/login/", b"--x", Content_Type=media_type, Cookie=cookie)

    assert answer.status in (400, 403)
