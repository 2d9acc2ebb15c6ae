"""The proxy: it waits for clients, and hides that a web container is replaced."""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from tests.containers.customer import Customer, asked
from tests.containers.stack import Stack
from tests.races import wait_until

HEAD = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
NAME = "Zebulon Quixworth"


@contextmanager
def load(customer: Customer) -> Iterator[Counter[str]]:
    """Clients that write and read without pause, each request once; what became of each."""
    fates, ended = Counter[str](), threading.Event()
    body = {"transaction_amount": "0.01", "transaction_type": "credit"}
    body |= {"transaction_date": "2026-01-31"}

    def client() -> None:
        while not ended.is_set():
            for method, path, sent in (
                ("POST", "/transactions", body),
                ("GET", "/analytics", None),
            ):
                try:
                    fates[f"{method} {customer.ask(method, path, sent).status}"] += 1
                except OSError as error:
                    fates[f"{method} {error!r}"] += 1

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        wait_until(lambda: fates["POST 201"] > 20)
        yield fates
        before = fates["POST 201"]
        wait_until(lambda: fates["POST 201"] > before + 20)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_a_new_web_container_takes_over_without_a_failed_request(
    stack: Stack, customer: Customer
) -> None:
    (old,) = stack.ids("web")
    scaled = ("--no-deps", "--no-recreate", "--scale", "web=2", "--wait", "web")
    with load(customer) as fates:
        stack.compose("up", "-d", *scaled)
        assert len(stack.ids("web")) == 2
        stack.engine.docker("stop", old)
        stack.engine.docker("rm", old)

    assert set(fates) == {"POST 201", "GET 200"}, fates
    assert customer.analytics()["total_transactions"] == fates["POST 201"]
    stack.up()
    assert len(stack.ids("web")) == 1


def test_many_slow_clients_do_not_reach_the_web_container(stack: Stack) -> None:
    opened = []
    for _ in range(300):
        client = socket.create_connection(("127.0.0.1", stack.port), 20)
        client.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
        opened.append(client)
    try:
        assert asked(stack.port, "GET", "/livez").status == 200
        assert asked(stack.port, "GET", "/api/v1/analytics").status == 401
    finally:
        for client in opened:
            client.close()


def test_without_a_web_container_the_answer_is_a_503(stack: Stack) -> None:
    stack.compose("stop", "web")
    try:
        answer = asked(stack.port, "GET", "/api/v1/analytics")
    finally:
        stack.up()

    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["code"] == "unavailable"


@pytest.mark.parametrize("path", ["/transactions", "/auth/login"])
def test_a_body_that_no_route_takes_is_refused_by_the_proxy(
    stack: Stack, customer: Customer, path: str
) -> None:
    answer = customer.ask("POST", path, b"x" * 6_000_000)

    assert (answer.status, json.loads(answer.content)["code"]) == (413, "body-too-large")


def test_the_largest_bulk_and_a_large_import_pass(stack: Stack, customer: Customer) -> None:
    row = {"transaction_amount": "0.01", "transaction_type": "credit", "full_name": NAME}
    row |= {"transaction_date": "2026-01-31", "description": "x" * 500}
    bulk = customer.ask("POST", "/transactions/bulk", [row] * 5000)
    assert bulk.status == 201, bulk.content[:500]
    file = b"transaction_date,transaction_amount,transaction_type\n"
    file += b"2026-01-31,1.00,credit\n" * 300_000
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    kind = "multipart/form-data; boundary=b"
    body = part + file + b"\r\n--b--\r\n"
    taken = customer.ask("POST", "/imports", body, Content_Type=kind)
    assert taken.status == 202, taken.content
    customer.ask("DELETE", f"/imports/{json.loads(taken.content)['id']}")


def test_the_proxy_names_the_client_and_logs_no_request(stack: Stack, customer: Customer) -> None:
    assert customer.ask("GET", f"/transactions?full_name={NAME.split()[1]}").status == 200
    with closing(socket.create_connection(("127.0.0.1", stack.port), 20)) as client:
        client.sendall(b"GET /?full_name=" + NAME.split()[1].encode() + b" HTTP/9\r\n\r\n")
        client.recv(1000)

    assert stack.logged("proxy") == []
    # Each client is counted for itself: the web container believes the proxy.
    web = stack.container("web")["Config"]["Env"]
    subnet = next(each for each in web if each.startswith("TRUSTED_PROXIES="))
    assert subnet.startswith("TRUSTED_PROXIES=172.")
