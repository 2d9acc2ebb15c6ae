"""Clients that send or read slowly, or not at all, against a real gunicorn of one thread."""

import contextlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.client import ApiClient
from tests.factories import record
from tests.races import DEADLINE_SECONDS, wait_until
from tests.webserver import WebServer, serving
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

HASTY = "--config=python:tests.fido.serving.hasty"
HEAD = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\n"
TYPED = HEAD + b"Content-Type: application/json\r\n"
# What a client has sent when it stops.
STOPS = {
    "nothing": b"",
    "half a head": HEAD,
    "half a body": TYPED + b'Content-Length: 100\r\n\r\n{"username"',
    "half a chunk": TYPED + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{",
    "a chunk that ends like the last one": TYPED
    + b"Transfer-Encoding: chunked\r\n\r\n64\r\n{\r\n\r\n",
    "two empty lines": b"\r\n\r\n",
    "a length in two lines": TYPED + b"Content-Length:\r\n 100\r\n\r\n{",
    "a length that is none": TYPED + b"Content-Length: +100\r\n\r\n{",
    "an endless head": HEAD + b"X: x\r\n" * 20_000,
    "half of a large body": TYPED + b"Content-Length: 5000000\r\n\r\n{",
    "a head that waits to go on": TYPED + b"Content-Length: 100\r\nExpect: 100-continue\r\n\r\n",
}
MANY = 20


def clients(server: WebServer, sent: bytes, number: int) -> list[socket.socket]:
    opened = []
    for _ in range(number):
        client = socket.create_connection(("127.0.0.1", server.port), DEADLINE_SECONDS)
        client.sendall(sent)
        opened.append(client)
    return opened


@contextlib.contextmanager
def stopped(server: WebServer, sent: bytes, number: int = MANY) -> Iterator[list[socket.socket]]:
    """Clients that have sent this much, and go on neither to send nor to leave."""
    opened = clients(server, sent, number)
    try:
        yield opened
    finally:
        for client in opened:
            client.close()


def read(client: socket.socket) -> bytes:
    """What is left until the server closes."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(65536):
            answer += part
    return answer


@pytest.fixture(scope="module")
def server(django_db_setup: None) -> Iterator[WebServer]:
    with serving() as server:
        yield server


@pytest.mark.parametrize("sent", STOPS.values(), ids=STOPS)
def test_who_stops_half_way_holds_up_nobody(server: WebServer, ada: ApiClient, sent: bytes) -> None:
    with stopped(server, sent):
        assert server.request("GET", "/livez").status == 200
        assert server.request("GET", "/readyz").status == 200
        body = json.dumps({"username": "nobody", "password": "x"})
        answer = server.request("POST", "/api/v1/auth/login", body, Content_Type="application/json")
        assert answer.status == 401


@pytest.mark.parametrize("stop", ["half a head", "half a body", "half a chunk"])
def test_who_stops_half_way_is_told_and_closed(django_db_setup: None, stop: str) -> None:
    with serving(HASTY) as server, stopped(server, STOPS[stop], 1) as (client,):
        answer = read(client)

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "request-timeout"


def test_who_says_nothing_is_closed_in_silence(django_db_setup: None) -> None:
    with serving(HASTY) as server, stopped(server, b"", 1) as (client,):
        assert read(client) == b""


def test_a_large_body_that_does_not_come_is_given_up(django_db_setup: None, ada: ApiClient) -> None:
    head = "POST /api/v1/imports HTTP/1.1\r\nHost: localhost\r\n"
    head += f"Authorization: Bearer {ada.token}\r\n"
    head += "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 6000000\r\n\r\n--b"
    with serving(HASTY) as server, stopped(server, head.encode(), 1) as (client,):
        answer = read(client)

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert "Traceback" not in server.log()


def test_who_does_not_close_holds_up_nobody(server: WebServer) -> None:
    with stopped(server, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") as done:
        assert all(client.recv(1) for client in done)

        assert server.request("GET", "/livez").status == 200


def test_a_refusal_before_the_end_of_a_body_ends_the_connection(server: WebServer) -> None:
    lengths = {"8000000": "close", "2": "keep-alive"}
    for length, promised in lengths.items():
        link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE_SECONDS)
        with contextlib.closing(link):
            link.putrequest("POST", "/api/v1/transactions")
            link.putheader("Content-Length", length)
            link.endheaders(b"{}")
            answer = link.getresponse()

            assert answer.status == 401
            assert answer.headers["Connection"] == promised


def test_more_connections_than_there_may_be_close_the_oldest_idle_ones(
    django_db_setup: None,
) -> None:
    with serving("--worker-connections=10") as server, stopped(server, HEAD, 30) as waiting:
        assert server.request("GET", "/livez").status == 200
        # They have had the most time.
        assert read(waiting[0]) == b""


@contextlib.contextmanager
def locked(row: Transaction) -> Iterator[None]:
    """Somebody else keeps the row locked meanwhile."""
    other = connection.copy()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM transactions_transaction WHERE id = %s FOR UPDATE", [row.pk]
            )
        yield
    finally:
        other.rollback()
        other.close()


def waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        (number,) = cursor.fetchone()
    return bool(number)


def test_what_waited_too_long_is_refused_without_any_work(ada: ApiClient) -> None:
    assert ada.user
    row = record(ada.user)
    token = f"Bearer {ada.token}"
    body = json.dumps({"description": "edited"})
    new = {"transaction_amount": "1.00", "transaction_type": "credit"}
    new |= {"transaction_date": "2026-01-31", "currency": "USD"}
    json_too = {"Authorization": token, "Content_Type": "application/json"}
    path = "/api/v1/transactions"
    token_too = {"METRICS_TOKEN": "a-token-for-prometheus"}
    with serving(QUEUE_SECONDS="1", **token_too) as server, ThreadPoolExecutor(2) as pool:
        with locked(row):
            edit = pool.submit(server.request, "PATCH", f"{path}/{row.pk}", body, **json_too)
            wait_until(waits_for_a_lock)
            queued = pool.submit(server.request, "POST", path, json.dumps(new), **json_too)
            began = time.monotonic()
            while time.monotonic() < began + 1.5:
                assert server.request("GET", "/livez").status == 200
        refused = queued.result()
        assert edit.result().status == 200
        page = server.request("GET", "/metrics", Authorization="Bearer a-token-for-prometheus")

    assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
    assert json.loads(refused.content)["code"] == "overloaded"
    assert b'\nfido_overloaded_total{wait="thread"} 1.0\n' in page.content
    assert refused.headers["X-Request-ID"]
    assert Transaction.objects.count() == 1
