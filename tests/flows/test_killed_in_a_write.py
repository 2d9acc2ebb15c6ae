"""Whatever breaks between the insert and the answer, the repeated request is done once."""

import json
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from http.client import HTTPException
from typing import Any

import pytest

from accounts.models import User
from analytics.models import DailyTotals
from fido.models import IdempotencyKey
from tests.client import ApiClient
from tests.cut_line import Cut, Line, laid
from tests.fido.processes import descendants
from tests.movements import assert_exact
from tests.webserver import WebServer, serving
from transactions.models import Transaction

BODY = {
    "transaction_amount": "1.00",
    "transaction_type": "credit",
    "transaction_date": "2026-01-31",
}

pytestmark = pytest.mark.django_db(transaction=True)


class Sender:
    """Sends the same request as often as it is told to."""

    def __init__(self, server: WebServer, ada: ApiClient, path: str = "", body: Any = BODY) -> None:
        self.server, self.path, self.body = server, path, json.dumps(body)
        self.token, self.pool = ada.token, ThreadPoolExecutor(1)

    def send(self) -> Any:
        return self.server.request(
            "POST",
            f"/api/v1/transactions{self.path}",
            self.body,
            Authorization=f"Bearer {self.token}",
            Content_Type="application/json",
            Idempotency_Key="order 1",
        )

    def send_and_be_held(self, line: Line, where: Cut) -> Future[Any]:
        line.hold_next_commit(where)
        answer = self.pool.submit(self.send)
        line.wait_until_held()
        return answer


@pytest.fixture
def line() -> Iterator[Line]:
    with laid() as line:
        yield line


@pytest.fixture
def server(line: Line) -> Iterator[WebServer]:
    with serving("--threads=2", DATABASE_URL=line.url) as server:
        yield server


def kill_workers(server: WebServer) -> None:
    """Kill them with -9; gunicorn starts new ones."""
    for pid in descendants(server.pid):
        os.kill(pid, signal.SIGKILL)


def replayed(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotent-Replayed") == "true")


def code(answer: Any) -> tuple[int, str]:
    assert answer.headers["Retry-After"]
    return answer.status, json.loads(answer.content)["code"]


def assert_recorded_once(ada: ApiClient, answer: Any) -> None:
    assert answer.status == 201, answer.content
    body = json.loads(answer.content)
    for shown in [result["transaction"] for result in body.get("results", [])] or [body]:
        assert ada.get(f"/transactions/{shown['id']}").json() == shown
    assert Transaction.objects.count() == body.get("created", 1)
    assert (DailyTotals.objects.count(), IdempotencyKey.objects.count()) == (1, 1)
    assert ada.get("/analytics").json()["total_transactions"] == body.get("created", 1)
    assert_exact(User.objects.get(pk=ada.user_id))


ONE = ("", BODY)
IN_STEPS: dict[str, tuple[str, Any]] = {
    "one with an external_id": ("", BODY | {"external_id": "order 1"}),
    "a bulk": ("/bulk", [BODY] * 50),
}
REQUESTS = {"one": ONE} | IN_STEPS
parts = pytest.mark.parametrize(("path", "body"), REQUESTS.values(), ids=REQUESTS)


def test_killed_before_its_only_statement_arrives_the_request_sent_again_is_done(
    ada: ApiClient, line: Line, server: WebServer
) -> None:
    sender = Sender(server, ada, *ONE)
    held = sender.send_and_be_held(line, Cut.BEFORE)
    kill_workers(server)
    with pytest.raises((HTTPException, OSError)):
        held.result()

    again = sender.send()
    line.cut()

    assert not replayed(again)
    assert_recorded_once(ada, again)


@pytest.mark.parametrize(("path", "body"), IN_STEPS.values(), ids=IN_STEPS)
def test_killed_before_the_commit_the_request_sent_again_is_done(
    ada: ApiClient, line: Line, server: WebServer, path: str, body: Any
) -> None:
    sender = Sender(server, ada, path, body)
    held = sender.send_and_be_held(line, Cut.BEFORE)
    kill_workers(server)
    with pytest.raises((HTTPException, OSError)):
        held.result()

    # PostgreSQL has not noticed yet: the first request may still commit.
    assert code(sender.send()) == (409, "idempotency-key-in-flight")
    line.cut()

    again = sender.send()
    assert not replayed(again)
    assert_recorded_once(ada, again)


@parts
def test_killed_after_the_commit_the_request_sent_again_is_replayed(
    ada: ApiClient, line: Line, server: WebServer, path: str, body: Any
) -> None:
    sender = Sender(server, ada, path, body)
    held = sender.send_and_be_held(line, Cut.AFTER)
    kill_workers(server)
    with pytest.raises((HTTPException, OSError)):
        held.result()

    again = sender.send()

    assert replayed(again)
    assert_recorded_once(ada, again)


@pytest.mark.parametrize("what", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("where", Cut)
def test_an_unconfirmed_commit_is_a_503_and_the_repeated_request_is_done_once(
    ada: ApiClient, line: Line, server: WebServer, where: Cut, what: tuple[str, Any]
) -> None:
    sender = Sender(server, ada, *what)
    held = sender.send_and_be_held(line, where)
    line.cut()

    assert code(held.result()) == (503, "database-unavailable")

    again = sender.send()
    assert replayed(again) == (where is Cut.AFTER)
    assert_recorded_once(ada, again)


def test_of_fifty_at_once_one_is_recorded_and_all_are_told_the_same(ada: ApiClient) -> None:
    with serving("--workers=4", "--threads=2") as server, ThreadPoolExecutor(50) as pool:
        sender = Sender(server, ada)
        answers = list(pool.map(lambda _: sender.send(), range(50)))

    done = [answer for answer in answers if answer.status == 201]
    assert len({answer.content for answer in done}) == 1
    assert [replayed(answer) for answer in done].count(False) == 1
    busy = [answer for answer in answers if answer.status != 201]
    assert {code(answer) for answer in busy} <= {(409, "idempotency-key-in-flight")}
    assert_recorded_once(ada, done[0])
