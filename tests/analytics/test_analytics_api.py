"""The exact body of the analytics answer."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from accounts.models import AccessLogEntry, User
from analytics.models import DailyTotals
from tests.client import ApiClient
from tests.factories import StaffFactory, record
from tests.key_rings import store
from tests.movements import FIRST_DAY

ALL_TIME = {"start": None, "end": None}


def credit(client: ApiClient, amount: str, date: str = "2026-01-31", **fields: Any) -> None:
    add(client, amount, date, transaction_type="credit", **fields)


def debit(client: ApiClient, amount: str, date: str = "2026-01-31", **fields: Any) -> None:
    add(client, amount, date, transaction_type="debit", **fields)


def add(client: ApiClient, amount: str, date: str, **fields: Any) -> None:
    body = {"transaction_amount": amount, "transaction_date": date, **fields}
    answer = client.post("/transactions", body)
    assert answer.status_code == 201, answer.content


def test_the_answer_is_the_contracts_example(ada: ApiClient) -> None:
    credit(ada, "60.00")
    credit(ada, "40.00", "2026-01-30")
    debit(ada, "20.00")

    answer = ada.get("/analytics")

    assert answer.json() == {
        "user_id": ada.user_id,
        "full_name": "Ada Lovelace",
        "period": ALL_TIME,
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
    }


def test_the_three_paths_to_ones_own_numbers_agree(ada: ApiClient) -> None:
    credit(ada, "19.99")

    paths = ("/analytics", "/users/me/analytics", f"/users/{ada.user_id}/analytics")
    bodies = [ada.get(path).content for path in paths]

    assert bodies[0] == bodies[1] == bodies[2]
    assert b'"total_credit":"19.99"' in bodies[0]


def test_nobody_without_transactions_gets_zeroes_and_nulls(ada: ApiClient) -> None:
    answer = ada.get("/analytics").json()

    assert (answer["total_transactions"], answer["busiest_day_transactions"]) == (0, 0)
    assert (answer["total_credit"], answer["total_debit"]) == ("0.00", "0.00")
    assert answer["busiest_day"] is None
    assert answer["average_transaction_value"] is None
    assert answer["by_currency"] == []


def test_zeroes_have_the_reporting_currencys_decimals(ada: ApiClient) -> None:
    assert ada.get("/analytics", currency="JPY").json()["total_credit"] == "0"
    assert ada.get("/analytics", currency="KWD").json()["total_credit"] == "0.000"


def test_ten_cents_and_twenty_cents_are_thirty_cents(ada: ApiClient) -> None:
    credit(ada, "0.10")
    credit(ada, "0.20")

    assert ada.get("/analytics").json()["total_credit"] == "0.30"


@pytest.mark.parametrize(
    ("amounts", "average"),
    [(("0.01", "0.02"), "0.02"), (("0.01", "0.01", "0.02"), "0.01"), (("1.00", "1.01"), "1.01")],
)
def test_the_average_is_rounded_half_up(
    ada: ApiClient, amounts: tuple[str, ...], average: str
) -> None:
    for amount in amounts:
        debit(ada, amount)

    assert ada.get("/analytics").json()["average_transaction_value"] == average


def test_a_tie_for_the_busiest_day_goes_to_the_latest(ada: ApiClient) -> None:
    for day in ("2026-01-05", "2026-01-07", "2026-01-06"):
        credit(ada, "1.00", day)

    answer = ada.get("/analytics").json()

    assert (answer["busiest_day"], answer["busiest_day_transactions"]) == ("2026-01-07", 1)


def test_days_are_utc_days(ada: ApiClient) -> None:
    credit(ada, "1.00", "2026-01-31T23:30:00-02:00")

    assert ada.get("/analytics").json()["busiest_day"] == "2026-02-01"
    assert ada.get("/analytics", transaction_date="2026-02-01").json()["total_transactions"] == 1
    assert ada.get("/analytics", transaction_date="2026-01-31").json()["total_transactions"] == 0


def test_a_single_currency_is_reported_as_it_is(ada: ApiClient) -> None:
    credit(ada, "500", currency="JPY")

    answer = ada.get("/analytics").json()

    assert (answer["currency"], answer["total_credit"]) == ("JPY", "500")


def test_the_lines_are_exact_whatever_the_headline_is_converted_to(ada: ApiClient) -> None:
    credit(ada, "500", currency="JPY")
    debit(ada, "1.005", currency="KWD")

    answer = ada.get("/analytics").json()

    lines = [
        (row["currency"], row["total_credit"], row["total_debit"]) for row in answer["by_currency"]
    ]
    assert lines == [("JPY", "500", "0"), ("KWD", "0.000", "1.005")]


@pytest.mark.parametrize(
    ("period", "total"),
    [
        ({"start": "2026-01-02"}, "1110.00"),
        ({"end": "2026-01-02"}, "111.00"),
        ({"start": "2026-01-02", "end": "2026-01-02"}, "110.00"),
        ({"start": "2026-01-02T12:00:00Z"}, "1100.00"),
        ({"end": "2026-01-02T12:00:00Z"}, "11.00"),
        ({"start": "2026-01-02T12:00:00Z", "end": "2026-01-02T12:00:00Z"}, "0.00"),
        ({"start": "2026-01-02T11:59:59Z", "end": "2026-01-02T12:00:01Z"}, "100.00"),
        ({"start": "2026-01-01T00:00:00Z", "end": "2026-01-03T00:00:00Z"}, "111.00"),
        ({"start": "9999-12-31T12:00:00Z"}, "0.00"),
        ({"end": "9999-12-31"}, "1111.00"),
        ({"start": "0001-01-01"}, "1111.00"),
    ],
)
def test_a_period_is_half_open_and_may_cut_days(
    ada: ApiClient, period: dict[str, str], total: str
) -> None:
    credit(ada, "1.00", "2026-01-01T23:59:59Z")
    credit(ada, "10.00", "2026-01-02")
    credit(ada, "100.00", "2026-01-02T12:00:00Z")
    credit(ada, "1000.00", "2026-01-03")

    assert ada.get("/analytics", **period).json()["total_credit"] == total


def test_the_period_is_answered_as_it_was_understood(ada: ApiClient) -> None:
    answer = ada.get("/analytics", start="2026-01-01", end="2026-01-31").json()

    assert answer["period"] == {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"start": "yesterday"}, "start"),
        ({"start": "2026-01-02", "end": "2026-01-01"}, "end"),
        ({"transaction_date": "2026-01-02T00:00:00Z"}, "transaction_date"),
        ({"transaction_date": "2026-02-30"}, "transaction_date"),
        ({"transaction_date": "2026-01-02", "start": "2026-01-01"}, "transaction_date"),
        ({"currency": "us"}, "currency"),
        ({"currency": "XXX"}, "currency"),
        ({"period": "all"}, "period"),
    ],
)
def test_a_bad_question_is_refused_by_parameter(
    ada: ApiClient, query: dict[str, str], parameter: str
) -> None:
    answer = ada.get("/analytics", **query)

    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == [parameter]


def test_anothers_numbers_are_not_there(ada: ApiClient, ben: ApiClient) -> None:
    for path in (f"/users/{ben.user_id}/analytics", "/users/999999/analytics"):
        assert ada.get(path).status_code == 404
        assert ada.get(f"{path}/series", interval="day").status_code == 404


def test_staff_read_anybodys_and_it_is_logged(ada: ApiClient, staff: ApiClient) -> None:
    credit(ada, "5.00")

    answer = staff.get(f"/users/{ada.user_id}/analytics").json()

    assert (answer["full_name"], answer["total_credit"]) == ("Ada Lovelace", "5.00")
    entry = AccessLogEntry.objects.get()
    assert (entry.actor_id, entry.subject_id, entry.what) == (
        staff.user_id,
        ada.user_id,
        "analytics",
    )


def test_staff_without_the_permission_to_open_names_read_them_masked(ada: ApiClient) -> None:
    clerk = ApiClient(StaffFactory.create(is_superuser=False))
    clerk.grant("transactions.view_transaction")

    answer = clerk.get(f"/users/{ada.user_id}/analytics").json()

    assert answer["full_name"] == "A••• L•••"
    assert not AccessLogEntry.objects.exists()


def test_a_damaged_name_is_null_and_leaves_the_numbers_whole(
    ada: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    credit(ada, "60.00")
    store(User.objects.get(pk=ada.user_id), "full_name", b"gAAAAA-not-a-token")

    answer = ada.get("/analytics").json()

    assert (answer["full_name"], answer["total_credit"]) == (None, "60.00")
    assert "A token in accounts.User.full_name fits no key." in caplog.messages


def test_sums_beyond_any_amount_are_exact(ada: ApiClient) -> None:
    record_many = 30
    assert ada.user
    for _ in range(record_many):
        record(
            ada.user, transaction_amount=Decimal("999999999999999.99"), transaction_date=FIRST_DAY
        )

    answer = ada.get("/analytics").json()

    assert answer["total_credit"] == str(Decimal("999999999999999.99") * record_many)
    assert answer["average_transaction_value"] == "999999999999999.99"


def withdraw_currency() -> None:
    """Change the recorded currency to one that ISO 4217 has withdrawn."""
    with connection.cursor() as cursor:
        for table in ("transactions_transaction", "analytics_dailytotals"):
            cursor.execute(f"UPDATE {table} SET currency = 'HRK'")


def test_what_was_moved_in_a_withdrawn_currency_stays_readable(ada: ApiClient) -> None:
    credit(ada, "19.90")
    withdraw_currency()

    (row,) = ada.get("/transactions").json()["results"]
    totals = ada.get("/analytics").json()["by_currency"]

    assert (row["transaction_amount"], row["currency"]) == ("19.90", "HRK")
    assert ada.get(f"/transactions/{row['id']}").json() == row
    assert totals == [
        {
            "currency": "HRK",
            "total_transactions": 1,
            "total_credit": "19.90",
            "total_debit": "0.00",
            "average_transaction_value": "19.90",
        }
    ]


HUGE = Decimal("123456789012345678901234567890.11")


def test_sums_are_exact_beyond_the_digits_that_decimal_keeps_by_itself(ada: ApiClient) -> None:
    assert ada.user
    DailyTotals.objects.create(
        user=ada.user, day=date(2026, 2, 1), currency="USD", count=2, credit=HUGE, debit=HUGE
    )
    credit(ada, "0.01", "2026-01-31T12:00:00Z")
    start = "2026-01-31T06:00:00Z"  # splits the day, so that both parts are added up here

    answer = ada.get("/analytics", start=start).json()
    (week,) = ada.get("/users/me/analytics/series", interval="week", start=start).json()["results"]

    (line,) = answer["by_currency"]
    assert line.pop("average_transaction_value") == "82304526008230452600823045260.08"
    assert line == {
        "currency": "USD",
        "total_transactions": 3,
        "total_credit": "123456789012345678901234567890.12",
        "total_debit": "123456789012345678901234567890.11",
    }
    assert week["by_currency"] == [line]
    assert answer["total_credit"] == line["total_credit"]
