"""How many exports may run at once, and what each keeps from others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from tests.client import ApiClient
from tests.exports import EXPORT, NOON, cells, user_of
from tests.factories import record
from tests.histories import add_copies
from tests.races import and_disconnect
from transactions.exports import BATCH_ROWS
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.fixture
    def running(self, ada: ApiClient) -> Iterator[Any]:
        """An export that its client has begun to read."""
        add_copies(record(user_of(ada)), 3 * BATCH_ROWS)
        answer = ada.get(EXPORT)
        next(iter(answer.streaming_content))
        yield answer
        answer.close()

    def test_a_process_runs_no_more_than_it_has_slots(self, ben: ApiClient, running: Any) -> None:
        answer = ben.get(EXPORT)

        assert (answer.status_code, answer.json()["code"]) == (429, "export-running")
        assert answer.headers["Retry-After"] == "5"
        assert answer.headers["Content-Type"] == "application/problem+json"

    def test_a_user_has_one_at_a_time(
        self, ada: ApiClient, ben: ApiClient, running: Any, settings: Any
    ) -> None:
        """In any process: here on a separate connection."""
        settings.EXPORTS_PER_PROCESS = 3

        def elsewhere(client: ApiClient) -> Any:
            with ThreadPoolExecutor(1) as pool:
                return pool.submit(and_disconnect, lambda: status_of(client)).result()

        assert (elsewhere(ada), elsewhere(ben)) == (429, 200)
        running.close()
        assert elsewhere(ada) == 200

    def test_what_is_left_half_way_is_given_back(self, running: Any, ada: ApiClient) -> None:
        running.close()

        record(user_of(ada), transaction_amount=Decimal("0.01"))

        assert len(cells(ada, max_amount="0.01")) == 1

    def test_its_cursor_goes_with_its_transaction(self, running: Any) -> None:
        # A cursor WITH HOLD reads all rows before it returns the first.
        with connection.cursor() as cursor:
            cursor.execute("SELECT is_holdable FROM pg_cursors WHERE name LIKE '_django%%'")
            assert cursor.fetchall() == [(False,)]

    def test_it_is_of_one_moment(self, running: Any, ada: ApiClient) -> None:
        def write() -> None:
            Transaction.objects.filter(user_id=ada.user_id).update(transaction_type="debit")
            record(user_of(ada), transaction_date=NOON - timedelta(days=1))

        with ThreadPoolExecutor(1) as pool:
            pool.submit(and_disconnect, write).result()

        rest = running.getvalue().decode()
        assert (rest.count(",credit,"), rest.count(",debit,")) == (3 * BATCH_ROWS + 1, 0)

    def test_a_refused_one_takes_no_slot(self, ada: ApiClient) -> None:
        for _ in range(3):
            assert ada.get(EXPORT, colour="blue").status_code == 400
            assert cells(ada) == []


def status_of(client: ApiClient) -> int:
    answer = client.get(EXPORT)
    answer.close()
    return int(answer.status_code)
