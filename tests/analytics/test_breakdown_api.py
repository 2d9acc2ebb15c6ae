"""GET /transactions/analytics: the analytics figures of the transactions that the filters find."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.client import ApiClient
from tests.factories import StaffFactory, record, wallet
from transactions.models import Transaction

ROW = {"transaction_amount": "10.00", "transaction_type": "debit", "transaction_date": "2026-01-31"}

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)


def found(client: ApiClient, **filters: Any) -> Any:
    answer = client.get("/transactions/analytics", **filters)
    assert answer.status_code == 200, answer.content
    return answer.json()


def add(client: ApiClient, amount: str, **fields: Any) -> None:
    answer = client.post("/transactions", ROW | {"transaction_amount": amount} | fields)
    assert answer.status_code == 201, answer.content


def test_it_adds_up_what_the_filter_finds_also_by_category(ada: ApiClient) -> None:
    add(ada, "12.50", category="food")
    add(ada, "7.50", category="food", transaction_date="2026-01-30")
    add(ada, "100", transaction_type="credit")
    add(ada, "5", category="fun", transaction_date="2025-12-31")

    line = {
        "currency": "USD",
        "total_transactions": 2,
        "total_credit": "0.00",
        "total_debit": "20.00",
        "average_transaction_value": "10.00",
    }
    other = line | {
        "total_transactions": 1,
        "total_credit": "100.00",
        "total_debit": "0.00",
        "average_transaction_value": "100.00",
    }
    assert found(ada, start="2026-01-01") == {
        "user_id": ada.user_id,
        "full_name": "Ada Lovelace",
        "period": {"start": "2026-01-01T00:00:00Z", "end": None},
        "total_transactions": 3,
        "busiest_day": "2026-01-31",
        "busiest_day_transactions": 2,
        "currency": "USD",
        "total_credit": "100.00",
        "total_debit": "20.00",
        "average_transaction_value": "40.00",
        "rates_as_of": None,
        "by_currency": [
            {
                "currency": "USD",
                "total_transactions": 3,
                "total_credit": "100.00",
                "total_debit": "20.00",
                "average_transaction_value": "40.00",
            }
        ],
        "by_category": [
            {"category": "food", "total_transactions": 2, "by_currency": [line]},
            {"category": None, "total_transactions": 1, "by_currency": [other]},
        ],
    }


def test_without_filters_it_is_the_analytics_answer(ada: ApiClient) -> None:
    for amount, currency in (("1.10", "USD"), ("3", "JPY"), ("2.20", "USD")):
        add(ada, amount, currency=currency)

    answer = found(ada)
    del answer["by_category"]
    assert answer == ada.get("/analytics").json()


@pytest.mark.parametrize(
    "filters",
    [
        {"category": "food"},
        {"wallet": "main"},
        {"transaction_type": "credit"},
        {"min_amount": "50"},
        {"max_amount": "49.99", "currency": "EUR"},
        {"full_name": "JANE doe"},
        {"start": "2026-01-05T12:00:00Z", "end": "2026-01-20"},
        {"category": "fun", "min_amount": "20", "transaction_type": "debit"},
        {"external_id": "row-7"},
    ],
    ids=str,
)
def test_each_filter_finds_what_the_list_finds(ada: ApiClient, filters: dict[str, str]) -> None:
    assert ada.user
    main, random = wallet(ada.user, USD="100000", EUR="100000"), Random(7)
    for number in range(60):
        record(
            ada.user,
            transaction_amount=Decimal(random.randrange(1, 10_000)) / 100,
            transaction_type=random.choice(["credit", "debit"]),
            currency=random.choice(["USD", "EUR"]),
            transaction_date=JANUARY + timedelta(hours=random.randrange(28 * 24)),
            full_name=random.choice(["Jane Doe", "Max Roe"]),
            category=random.choice(["food", "fun", None]),
            wallet_id=random.choice([main.pk, None]),
            external_id=f"row-{number}",
        )
    rows = ada.get("/transactions", limit=200, **filters).json()["results"]

    answer = found(ada, **filters)

    assert rows
    assert answer["total_transactions"] == len(rows)
    assert _sums(answer["by_currency"], "") == _added_up(rows, lambda row: "")
    by_category: dict[Any, Any] = {}
    for part in answer["by_category"]:
        by_category |= _sums(part["by_currency"], part["category"])
    assert by_category == _added_up(rows, lambda row: row["category"])


def _sums(lines: Any, label: Any) -> dict[Any, Any]:
    return {
        (label, line["currency"]): (
            line["total_transactions"],
            Decimal(line["total_credit"]),
            Decimal(line["total_debit"]),
        )
        for line in lines
    }


def _added_up(rows: Any, label: Any) -> dict[Any, Any]:
    sums: dict[Any, Any] = defaultdict(lambda: (0, Decimal(0), Decimal(0)))
    for row in rows:
        count, credit, debit = sums[label(row), row["currency"]]
        amount = Decimal(row["transaction_amount"])
        if row["transaction_type"] == "credit":
            credit += amount
        else:
            debit += amount
        sums[label(row), row["currency"]] = (count + 1, credit, debit)
    return dict(sums)


def test_nothing_found_is_zero_and_not_an_error(ada: ApiClient) -> None:
    answer = found(ada, category="none", currency="JPY")

    assert (answer["total_transactions"], answer["busiest_day"]) == (0, None)
    assert (answer["currency"], answer["total_debit"]) == ("JPY", "0")
    assert answer["average_transaction_value"] is None
    assert (answer["by_currency"], answer["by_category"]) == ([], [])


def test_an_unknown_wallet_has_no_transactions(ada: ApiClient) -> None:
    add(ada, "10")

    assert found(ada, wallet="none")["total_transactions"] == 0


@pytest.mark.parametrize(
    "query", ["colour=blue", "order=transaction_date", "limit=5", "min_amount=x", "category="]
)
def test_a_bad_filter_is_refused(ada: ApiClient, query: str) -> None:
    assert ada.get(f"/transactions/analytics?{query}").status_code == 400


def test_other_users_transactions_are_not_found(ada: ApiClient, ben: ApiClient) -> None:
    add(ben, "10")

    answer = found(ada, user_id=ben.user_id)

    assert answer["total_transactions"] == 0
    assert (answer["user_id"], answer["full_name"]) == (ben.user_id, None)


@pytest.mark.django_db(transaction=True)
def test_the_next_answer_shows_a_write_and_a_known_answer_is_not_sent_again(ada: ApiClient) -> None:
    add(ada, "10", category="food")
    path = "/transactions/analytics?category=food"
    first, again = ada.get(path), ada.get(path)
    assert (first.headers["X-Cache"], again.headers["X-Cache"]) == ("miss", "hit")
    known = ada.request("get", path, HTTP_IF_NONE_MATCH=again.headers["ETag"])
    assert (known.status_code, known.content) == (304, b"")

    add(ada, "5", category="food")

    assert ada.get(path).json()["total_debit"] == "15.00"


@pytest.mark.django_db(transaction=True)
def test_the_figures_come_from_one_statement(ada: ApiClient) -> None:
    add(ada, "10", category="food")
    found(ada)  # from here on the caller is cached

    with CaptureQueriesContext(connection) as asked:
        found(ada, category="food")

    (only,) = asked
    assert "transactions_transaction" in only["sql"]


class TestStaff:
    def test_they_add_up_everybodys_and_see_no_name_in_clear(
        self, ada: ApiClient, ben: ApiClient, staff: ApiClient
    ) -> None:
        add(ada, "10", category="food")
        add(ben, "20", category="food")

        answer = found(staff)
        assert (answer["user_id"], answer["full_name"]) == (None, None)
        assert answer["total_debit"] == "30.00"
        hers = found(staff, user_id=ada.user_id)
        assert (hers["user_id"], hers["full_name"]) == (ada.user_id, "A••• L•••")
        assert hers["total_debit"] == "10.00"

    def test_a_wallet_is_found_among_everybodys(self, ada: ApiClient, staff: ApiClient) -> None:
        assert ada.user
        record(ada.user, wallet_id=wallet(ada.user).pk)
        record(ada.user)

        assert found(staff, wallet="main")["total_transactions"] == 1

    def test_an_unknown_user_has_no_transactions(self, staff: ApiClient) -> None:
        assert found(staff, user_id=2**62)["total_transactions"] == 0

    def test_their_answers_are_never_cached(self, ada: ApiClient, staff: ApiClient) -> None:
        answers = [staff.get("/transactions/analytics") for _ in range(2)]

        assert [answer.headers["X-Cache"] for answer in answers] == ["bypass", "bypass"]

    def test_staff_who_may_not_open_names_may_not_search_by_them(self, ada: ApiClient) -> None:
        clerk = ApiClient(StaffFactory.create(is_superuser=False))
        clerk.grant("transactions.view_transaction")

        answer = clerk.get("/transactions/analytics", full_name="Ada Lovelace")

        assert answer.status_code == 403
        assert not Transaction.objects.exists()
