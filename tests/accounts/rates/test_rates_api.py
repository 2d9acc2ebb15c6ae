"""`GET /rates`; no request ever calls the bank."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from accounts.rates import kept, operations, queries
from accounts.rates.models import PublishedTable, SyncState
from fido.lib.values import clock
from tests.bank import TODAY, StubBank, status, table
from tests.client import ApiClient
from tests.webserver import serving

pytestmark = pytest.mark.django_db


def sync(bank: StubBank) -> None:
    operations.sync_now(bank.url, accept=False)


def test_the_answer_to_the_letter(open_bank: StubBank, ada: ApiClient) -> None:
    sync(open_bank)

    answer = ada.get("/rates")

    assert answer.status_code == 200
    assert answer.json() == {
        "base": "PLN",
        "effective_date": TODAY.isoformat(),
        "fetched_at": clock.text(queries.in_force().fetched_at),
        "source": "bank",
        "stale": False,
        "rates": {
            "EUR": {"mid": "4.25", "bid": "4.20", "ask": "4.30"},
            "JPY": {"mid": "0.0250", "bid": None, "ask": None},
            "USD": {"mid": "3.95", "bid": "3.90", "ask": "4.00"},
        },
    }


def test_a_rate_is_never_written_with_an_exponent(bank: StubBank, ada: ApiClient) -> None:
    bank.gives(A=table("A", USD="1E+1", IDR="2.3417e-8"))
    sync(bank)

    rates = ada.get("/rates").json()["rates"]

    assert (rates["USD"]["mid"], rates["IDR"]["mid"]) == ("10", "0.000000023417")


def test_without_a_login_there_are_none(anybody: ApiClient) -> None:
    answer = anybody.get("/rates")

    assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")


def test_without_a_bank_the_table_that_ships_is_named_as_such(ada: ApiClient) -> None:
    answer = ada.get("/rates").json()

    assert (answer["source"], answer["effective_date"]) == ("shipped", "2026-01-30")
    assert answer["stale"] is True
    assert answer["rates"]["USD"] == {"mid": "3.5600", "bid": "3.5244", "ask": "3.5956"}


def test_before_the_first_table_only_what_needs_a_rate_is_unavailable(
    bank: StubBank, ada: ApiClient
) -> None:
    answers = [ada.get("/rates"), ada.get("/rates")]

    for answer in answers:
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["code"] == "rates-unavailable"
    body = {"transaction_amount": "1.00", "transaction_type": "credit"}
    body |= {"transaction_date": "2026-01-31", "currency": "EUR"}
    assert ada.post("/transactions", body).status_code == 201
    assert ada.get("/transactions").status_code == 200
    assert ada.get("/analytics").status_code == 200
    assert bank.calls == []


def test_the_first_table_shows_at_once_to_who_was_told_that_there_was_none(
    open_bank: StubBank, ada: ApiClient
) -> None:
    assert ada.get("/rates").status_code == 503

    sync(open_bank)

    assert ada.get("/rates").status_code == 200


def test_any_number_of_requests_asks_neither_the_bank_nor_the_database(
    open_bank: StubBank, ada: ApiClient
) -> None:
    sync(open_bank)
    ada.get("/rates")
    open_bank.calls.clear()

    with CaptureQueriesContext(connection) as statements:
        answers = {ada.get("/rates").content for _ in range(20)}

    assert len(answers) == 1
    assert (open_bank.calls, len(statements)) == ([], 0)


def test_an_empty_redis_is_filled_without_the_bank(open_bank: StubBank, ada: ApiClient) -> None:
    sync(open_bank)
    before = ada.get("/rates").content
    open_bank.calls.clear()
    get_redis_connection().flushdb()

    assert ada.get("/rates").content == before
    assert get_redis_connection().hexists(kept.KEY, "table")
    assert open_bank.calls == []


@pytest.mark.django_db(transaction=True)
def test_with_redis_away_postgresql_answers(open_bank: StubBank, ada: ApiClient) -> None:
    sync(open_bank)
    before = ada.get("/rates").content
    open_bank.calls.clear()

    with serving(REDIS_URL="redis://127.0.0.1:1/0", RATES_URL=open_bank.url) as server:
        answer = server.request("GET", "/api/v1/rates", Authorization=f"Bearer {ada.token}")

    assert (answer.status, answer.content) == (200, before)
    assert open_bank.calls == []


def test_a_client_that_has_the_table_is_not_sent_it_again(
    open_bank: StubBank, ada: ApiClient
) -> None:
    sync(open_bank)
    etag = ada.get("/rates").headers["ETag"]

    assert ada.request("get", "/rates", HTTP_IF_NONE_MATCH=etag).status_code == 304


def test_bank_down_for_a_day_the_answer_says_how_old_it_is(
    open_bank: StubBank, ada: ApiClient
) -> None:
    sync(open_bank)
    ago = clock.now() - timedelta(days=1)
    PublishedTable.objects.update(effective_date=ago.date())
    SyncState.objects.update(fetched_at=ago, attempted_at=ago)
    open_bank.answers_all(status(500))
    operations.sync_if_due()

    answer = ada.get("/rates").json()

    assert answer["effective_date"] == ago.date().isoformat()
    assert answer["fetched_at"] == clock.text(ago)
    assert answer["stale"] is False


def test_the_bank_is_asked_by_a_schedule_that_staff_see(settings: Any) -> None:
    entry = settings.CELERY_BEAT_SCHEDULE["ask the bank for its rates"]

    assert (entry["task"], entry["schedule"]) == ("rates.sync", timedelta(seconds=60))
