"""Somebody keeps a row locked: who needs it is soon told to come back, and all others work."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from accounts.wallets.models import Balance
from analytics import operations, tasks
from analytics.models import DailyTotals
from tests.client import ApiClient
from tests.factories import record
from tests.fences import writer_stands
from tests.fido.processes import eventually
from tests.movements import assert_exact
from tests.webserver import WebServer, serving
from tests.worker import running_worker
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
REQUESTS = 10
BODY = {"transaction_amount": "1.00", "transaction_type": "credit"}
BODY |= {"transaction_date": "2026-01-31"}
ROWS = "SELECT FROM transactions_transaction WHERE user_id = %s FOR UPDATE"
BALANCES = "SELECT FROM wallets_balance WHERE user_id = %s FOR UPDATE"
# A new row refers to it, and COMMIT is what looks for it.
USER = "SELECT FROM accounts_user WHERE id = %s FOR UPDATE"


@pytest.fixture
def server() -> Iterator[WebServer]:
    with serving(f"--threads={REQUESTS}", LOCK_TIMEOUT_SECONDS="1") as server:
        yield server


def lock(sql: str, user_id: int) -> None:
    """Until the transaction ends, as from psql."""
    with connection.cursor() as cursor:
        cursor.execute(sql, [user_id])


def send(server: WebServer, whose: ApiClient, method: str, path: str, body: Any) -> Any:
    answer = server.request(
        method,
        f"/api/v1/transactions{path}",
        json.dumps(body),
        Authorization=f"Bearer {whose.token}",
        Content_Type="application/json",
    )
    answer.json = json.loads(answer.content)
    return answer


def assert_busy(*answers: Any) -> None:
    for answer in answers:
        assert (answer.status, answer.json["code"]) == (503, "busy"), answer.json
        assert answer.headers["Retry-After"] == "2"


def test_all_requests_for_a_locked_row_are_told_to_come_back_and_change_nothing(
    ada: ApiClient, ben: ApiClient, server: WebServer
) -> None:
    row = record(User.objects.get(pk=ada.user_id))
    edit = partial(send, server, ada, "PATCH", f"/{row.pk}", {"transaction_amount": "2.00"})
    with ThreadPoolExecutor(REQUESTS) as pool, transaction.atomic():
        lock(ROWS, ada.user_id)
        edits = [pool.submit(edit) for _ in range(REQUESTS)]
        assert_busy(*(edit.result() for edit in edits))
        assert not writer_stands(ada.user_id)
        assert send(server, ben, "POST", "", BODY).status == 201

    assert Transaction.objects.get(user_id=ada.user_id).version == row.version
    assert_exact(User.objects.get(pk=ada.user_id))
    assert edit().json["transaction_amount"] == "2.00"


@pytest.mark.parametrize("path", ["", "/bulk"])
@pytest.mark.parametrize("sql", [BALANCES, USER])
def test_nothing_is_recorded_where_a_lock_was_not_to_be_had(
    ada: ApiClient, server: WebServer, sql: str, path: str
) -> None:
    assert ada.post("/wallets", {"name": "main"}).status_code == 201
    opened = {"currency": "USD", "amount": "5.00"}
    assert ada.post("/wallets/main/currencies", opened).status_code == 201
    body: Any = BODY | {"currency": "USD", "wallet": "main"}
    with transaction.atomic():
        lock(sql, ada.user_id)
        assert_busy(send(server, ada, "POST", path, [body] if path else body))

    assert not Transaction.objects.exists()
    assert Balance.objects.get(user_id=ada.user_id).amount == 5
    assert not writer_stands(ada.user_id)


def test_a_key_that_met_a_lock_may_be_used_again(ada: ApiClient, server: WebServer) -> None:
    body = BODY | {"external_id": "order 1"}

    def once() -> Any:
        answer = server.request(
            "POST",
            "/api/v1/transactions",
            json.dumps(body),
            Authorization=f"Bearer {ada.token}",
            Content_Type="application/json",
            Idempotency_Key="order 1",
        )
        answer.json = json.loads(answer.content)
        return answer

    with transaction.atomic():
        lock("LOCK TABLE analytics_dailytotals IN SHARE MODE -- %s", ada.user_id)
        assert_busy(once())

    assert once().status == 201


def pending(user_id: int) -> int:
    return DailyTotals.objects.filter(user_id=user_id, pending=True).count()


def test_a_user_whose_rows_are_locked_delays_nobodys_totals(ada: ApiClient, ben: ApiClient) -> None:
    for each in (ada, ben):
        record(User.objects.get(pk=each.user_id))
    with transaction.atomic():
        lock("SELECT FROM analytics_dailytotals WHERE user_id = %s FOR UPDATE", ada.user_id)
        with running_worker(LOCK_TIMEOUT_SECONDS="1"):
            tasks.sweep_totals.delay()
            eventually(lambda: pending(ben.user_id) == 0)
        assert pending(ada.user_id) == 1

    assert operations.fold_everybody()  # as the next sweep does
    assert pending(ada.user_id) == 0
