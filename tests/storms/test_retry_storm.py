"""Clients retry until they are answered, while web processes and connections are killed."""

import json
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from fido.models import IdempotencyKey
from tests.client import ApiClient
from tests.fido.processes import descendants
from tests.movements import assert_exact
from tests.races import and_disconnect
from tests.webserver import WebServer, serving
from transactions.models import Transaction

SECONDS, LONGEST_SECONDS, CLIENTS, MOST_TRIES = 30, 300, 6, 500
HANG_UP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'fido' AND pid <> pg_backend_pid() AND datname = current_database()
ORDER BY state = 'idle', random() LIMIT 1
"""

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


class Client:
    """Records under one key after another, each from two threads at once."""

    def __init__(self, server: WebServer, ada: ApiClient, number: int) -> None:
        self.server, self.ada, self.number, self.over = server, ada, number, threading.Event()
        self.statuses: Counter[str] = Counter()
        self.answers: list[bytes] = []

    def run(self) -> None:
        with ThreadPoolExecutor(2) as pair:
            count = 0
            while not self.over.is_set():
                count += 1
                sent = [pair.submit(self._insist, f"{self.number}-{count}") for _ in range(2)]
                first, second = (each.result() for each in sent)
                assert first == second
                self.answers.append(first)

    def _insist(self, key: str) -> bytes:
        for _ in range(MOST_TRIES):
            status, content = self._send(key)
            self.statuses[status] += 1
            if status == "201":
                return content
            time.sleep(random.random() / 10)
        raise AssertionError(f"no answer, only {self.statuses}")

    def _send(self, key: str) -> tuple[str, bytes]:
        amount = f"{1 + int(key.partition('-')[2])}.25"
        row = {"transaction_amount": amount, "transaction_type": "credit"}
        body = json.dumps(row | {"transaction_date": "2026-01-31"})
        headers = {"Authorization": f"Bearer {self.ada.token}", "Content_Type": "application/json"}
        try:
            answer = self.server.request(
                "POST", "/api/v1/transactions", body, Idempotency_Key=key, **headers
            )
        except (HTTPException, OSError):
            return "broken", b""
        return str(answer.status), answer.content


@contextmanager
def mishaps(server: WebServer) -> Iterator[None]:
    """Kill a web process or a connection to the database now and then."""
    over = threading.Event()

    def go_wrong() -> None:
        while not over.wait(random.uniform(0.1, 0.8)):
            workers = list(descendants(server.pid))
            if workers and random.random() < 0.4:
                os.kill(random.choice(workers), signal.SIGKILL)
            else:
                with connection.cursor() as cursor:
                    cursor.execute(HANG_UP)

    with ThreadPoolExecutor(1) as pool:
        going = pool.submit(and_disconnect, go_wrong)
        try:
            yield
        finally:
            over.set()
        going.result()


def statuses_of(clients: list[Client]) -> Counter[str]:
    # Copied first: adding them up while a client counts a new status would fail.
    return sum((Counter(dict(client.statuses)) for client in clients), Counter[str]())


def wait_until_enough_went_wrong(clients: list[Client]) -> None:
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < SECONDS or not (
        min(statuses_of(clients)[status] for status in ("broken", "503")) > 5
    ):
        assert elapsed < LONGEST_SECONDS, "too little happened"
        time.sleep(0.2)


def test_each_key_is_recorded_once_while_everything_goes_wrong(ada: ApiClient) -> None:
    with serving("--workers=3", "--threads=2") as server:
        connection.close()  # our own must not be killed
        clients = [Client(server, ada, number) for number in range(CLIENTS)]
        with mishaps(server), ThreadPoolExecutor(CLIENTS) as pool:
            running = [pool.submit(client.run) for client in clients]
            try:
                wait_until_enough_went_wrong(clients)
            finally:
                for client in clients:
                    client.over.set()
            for each in running:
                each.result()

    told = [json.loads(answer) for client in clients for answer in client.answers]
    assert_recorded(told)
    assert_exact(User.objects.get(pk=ada.user_id))
    assert len(told) > 50
    assert set(statuses_of(clients)) <= {"201", "409", "503", "broken"}


def assert_recorded(told: list[dict[str, Any]]) -> None:
    """Check that exactly what the clients were told exists."""
    ids = [answer["id"] for answer in told]
    assert sorted(ids) == sorted(map(str, Transaction.objects.values_list("id", flat=True)))
    assert IdempotencyKey.objects.count() == len(ids)
