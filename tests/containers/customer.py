"""A client of the published port: one customer, and the writes acknowledged to the customer."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any
from uuid import uuid4

PASSWORD = "correct horse battery"
TRY_SECONDS = 90


def asked(port: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """The response, with its body in `.content`."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    with closing(client):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body, sent = json.dumps(body).encode(), {"Content-Type": "application/json", **sent}
        client.request(method, path, body, sent)
        answer: Any = client.getresponse()
        answer.content = answer.read()
        return answer


class Customer:
    """Registers and logs in through the API."""

    def __init__(self, port: int, name: str = "", password: str = PASSWORD) -> None:
        self.port, self.recorded = port, 0
        if not name:
            name = f"c{uuid4().hex[:12]}"
            body = {"username": name, "email": f"{name}@example.org", "password": password}
            registered = asked(port, "POST", "/api/v1/auth/register", body)
            assert registered.status == 201, registered.content
        login = asked(port, "POST", "/api/v1/auth/login", {"username": name, "password": password})
        assert login.status == 200, login.content
        self.token = json.loads(login.content)["access_token"]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        headers["Authorization"] = f"Bearer {self.token}"
        return asked(self.port, method, f"/api/v1{path}", body, **headers)

    def record(self, amount: str = "0.01") -> str:
        """Send one transaction until it is acknowledged; return its id."""
        key, deadline = uuid4().hex, time.monotonic() + TRY_SECONDS
        body = {
            "transaction_amount": amount,
            "transaction_type": "credit",
            "transaction_date": "2026-01-31",
        }
        while True:
            try:
                answer = self.ask("POST", "/transactions", body, Idempotency_Key=key)
                if answer.status == 201:
                    return str(json.loads(answer.content)["id"])
                assert answer.status == 503, answer.content
            except (OSError, http.client.HTTPException):
                pass
            assert time.monotonic() < deadline, "no write got through again"
            time.sleep(0.05)

    def analytics(self) -> Any:
        answer = self.ask("GET", "/analytics")
        assert answer.status == 200, answer.content
        return json.loads(answer.content)

    def ids(self) -> list[str]:
        """The ids of all transactions, from an export."""
        answer = self.ask("GET", "/transactions/export?format=ndjson")
        assert answer.status == 200, answer.content
        return [json.loads(line)["id"] for line in answer.content.splitlines()]


class Writers:
    """Two threads that record without pause, retry until acknowledged, and check the result."""

    def __init__(self, customer: Customer) -> None:
        self.customer, self.acknowledged = customer, list[str]()
        self.failures: list[str] = []
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._write) for _ in range(2)]

    def _write(self) -> None:
        while not self._ended.is_set():
            try:
                self.acknowledged.append(self.customer.record())
            except AssertionError as error:
                self.failures.append(str(error))
                return

    def wait_for_more(self, count: int = 10) -> None:
        wanted, deadline = len(self.acknowledged) + count, time.monotonic() + TRY_SECONDS
        while len(self.acknowledged) < wanted:
            assert not self.failures
            assert time.monotonic() < deadline, "writes did not go on"
            time.sleep(0.02)

    def assert_kept(self) -> None:
        """Each acknowledged write exists once, nothing else does, and the sums are exact."""
        found, told = self.customer.ids(), self.customer.analytics()
        assert sorted(found) == sorted(self.acknowledged)
        assert told["total_transactions"] == len(self.acknowledged)
        assert Decimal(told["total_credit"]) == Decimal("0.01") * len(self.acknowledged)

    @contextmanager
    def writing(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            self.wait_for_more()
            yield
            self.wait_for_more()
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join()
        assert not self.failures
