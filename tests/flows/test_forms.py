"""Forms sent to the admin, by anyone, and while the database is only partly available."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.test import Client

from accounts.models import AccessLogEntry
from tests.client import ApiClient
from tests.flows.refusals import ROW, mine, refused
from tests.races import and_disconnect
from tests.staff import Desk
from transactions.models import Transaction

__all__ = ["mine"]  # a fixture

LIST = "transactions/transaction/"
FORM = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n%b\r\n--x--\r\n'


@pytest.fixture
def desk(staff: ApiClient) -> Desk:
    assert staff.user
    return Desk(staff.user)


def send(body: bytes, content_type: str) -> Any:
    """An anonymous form, with the cookie that makes Django read it before any view."""
    browser = Client(raise_request_exception=False, enforce_csrf_checks=True)
    browser.cookies["csrftoken"] = "a" * 32
    return browser.generic("POST", "/admin/login/", body, content_type)


def test_a_large_file_from_anybody_is_not_read() -> None:
    answer = send(FORM % (b"x" * 2_000_000), "multipart/form-data; boundary=x")

    refused(answer, 413, "body-too-large")


def test_a_small_one_is_refused_for_what_it_lacks() -> None:
    assert send(FORM % b"x", "multipart/form-data; boundary=x").status_code == 403


def test_what_is_sent_is_never_put_into_a_file() -> None:
    handlers = {name.rpartition(".")[2] for name in settings.FILE_UPLOAD_HANDLERS}

    assert handlers == {"MemoryFileUploadHandler"}


@contextmanager
def read_only() -> Iterator[None]:
    """As during a failover."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")


def told_to_come_back(answer: Any) -> None:
    refused(answer, 503, "database-unavailable")
    assert answer.headers["Retry-After"] == "2"


@pytest.mark.django_db(transaction=True)
def test_a_database_that_only_reads_takes_no_transaction(ada: ApiClient) -> None:
    with read_only():
        told_to_come_back(ada.post("/transactions", ROW))
        assert ada.get("/transactions").json()["results"] == []


@pytest.mark.django_db(transaction=True)
def test_a_record_is_not_shown_while_the_access_log_cannot_be_written(
    desk: Desk, mine: Transaction
) -> None:
    with read_only():
        answer = desk.get(f"{LIST}{mine.pk}/change/")

    told_to_come_back(answer)
    assert b"Jane" not in answer.content
    assert not AccessLogEntry.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_list_that_takes_too_long_is_given_up(desk: Desk) -> None:
    def impatient() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '50ms'")
        return desk.get(LIST)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE transactions_transaction IN ACCESS EXCLUSIVE MODE")
        answer = pool.submit(and_disconnect, impatient).result()

    told_to_come_back(answer)


@pytest.mark.django_db(transaction=True)
def test_a_page_whose_connection_was_cut_is_had_by_asking_again(desk: Desk) -> None:
    with suppress(OperationalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    told_to_come_back(desk.get(LIST))

    assert desk.get(LIST).status_code == 200
