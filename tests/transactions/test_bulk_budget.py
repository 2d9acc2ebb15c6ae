"""A bulk for several users ends: in time, and when its client has left."""

import contextlib
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from accounts.models import SERVICE_GROUP
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.races import DEADLINE_SECONDS, wait_until
from tests.webserver import WebServer, serving
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
ROW = {"transaction_date": "2026-01-31", "transaction_amount": "1.50", "transaction_type": "credit"}
PATH = "/api/v1/transactions/bulk?atomic=false"


@pytest.fixture
def service(db: None) -> ApiClient:
    user = UserFactory.create(username="importer")
    user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    return ApiClient(user)


def rows_of_three() -> list[dict[str, Any]]:
    users = sorted(UserFactory.create().pk for _ in range(3))
    return [ROW | {"user_id": user_id} for user_id in users for _ in range(2)]


@pytest.mark.parametrize("key", [{}, {"HTTP_IDEMPOTENCY_KEY": "march"}])
def test_rows_that_the_time_does_not_suffice_for_say_so(
    service: ApiClient, settings: Any, key: dict[str, str]
) -> None:
    settings.BULK_SECONDS = 0
    rows = rows_of_three()

    for _ in range(2 if key else 1):  # a replay is the same
        answer = service.post("/transactions/bulk?atomic=false", rows, **key)

        body = answer.json()
        assert (answer.status_code, body["created"], body["refused"]) == (200, 2, 4)
        told = [(result["status"], result.get("code")) for result in body["results"]]
        assert told == [(201, None)] * 2 + [(503, "not-tried")] * 4
    assert set(Transaction.objects.values_list("user_id", flat=True)) == {rows[0]["user_id"]}


def test_one_users_rows_are_always_tried(ada: ApiClient, settings: Any) -> None:
    settings.BULK_SECONDS = 0

    assert ada.post("/transactions/bulk?atomic=false", [ROW] * 3).json()["created"] == 3


@contextlib.contextmanager
def taking(row: dict[str, Any]) -> Iterator[None]:
    """Another writer is about to take the row's external_id, and then does not."""
    other = connection.copy()
    other.set_autocommit(False)
    with other.cursor() as cursor:
        cursor.execute(
            "INSERT INTO transactions_transaction (id, user_id, external_id, transaction_date,"
            " transaction_amount, transaction_type, currency, version, created_at, updated_at)"
            " VALUES (gen_random_uuid(), %s, %s, now(), 1, 'credit', 'USD', 1, now(), now())",
            [row["user_id"], row["external_id"]],
        )
    yield
    other.rollback()
    other.close()


def has_ended(server: WebServer) -> bool:
    return any('"path": "/api/v1/transactions/bulk"' in line for line in server.log().splitlines())


def test_a_bulk_whose_client_has_left_goes_on_with_no_other_user(service: ApiClient) -> None:
    rows = rows_of_three()
    rows[0] |= {"external_id": "first"}
    body = json.dumps(rows).encode()
    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.token}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    with serving() as server:
        with taking(rows[0]):
            client = socket.create_connection(("127.0.0.1", server.port), DEADLINE_SECONDS)
            with client:
                client.sendall(head.encode() + body)
                wait_until(waits_for_another)
        wait_until(lambda: has_ended(server))

    assert set(Transaction.objects.values_list("user_id", flat=True)) == {rows[0]["user_id"]}


def waits_for_another() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        (number,) = cursor.fetchone()
    return bool(number)
