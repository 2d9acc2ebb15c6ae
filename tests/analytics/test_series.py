"""Rows per day, week and month."""

from typing import Any

import pytest

from analytics import queries
from tests.analytics.test_analytics_api import credit, debit, withdraw_currency
from tests.client import ApiClient


def rows(answer: Any) -> list[tuple[str, int]]:
    return [(row["start"], row["total_transactions"]) for row in answer.json()["results"]]


@pytest.fixture
def history(ada: ApiClient) -> ApiClient:
    credit(ada, "1.00", "2026-01-31")  # a Saturday
    debit(ada, "2.00", "2026-02-01")
    credit(ada, "300", "2026-02-01", currency="JPY")
    credit(ada, "4.00", "2026-02-02T09:00:00Z")
    return ada


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        ("day", [("2026-01-31", 1), ("2026-02-01", 2), ("2026-02-02", 1)]),
        ("week", [("2026-01-26", 3), ("2026-02-02", 1)]),
        ("month", [("2026-01-01", 1), ("2026-02-01", 3)]),
    ],
)
def test_only_intervals_with_transactions_have_a_row(
    history: ApiClient, interval: str, expected: list[tuple[str, int]]
) -> None:
    assert rows(history.get("/users/me/analytics/series", interval=interval)) == expected


def test_a_row_says_what_was_moved_by_currency(history: ApiClient) -> None:
    answer = history.get("/users/me/analytics/series", interval="month").json()

    assert answer["results"][1] == {
        "start": "2026-02-01",
        "total_transactions": 3,
        "by_currency": [
            {"currency": "JPY", "total_transactions": 1, "total_credit": "300", "total_debit": "0"},
            {
                "currency": "USD",
                "total_transactions": 2,
                "total_credit": "4.00",
                "total_debit": "2.00",
            },
        ],
    }


def test_a_period_may_cut_days_here_too(history: ApiClient) -> None:
    answer = history.get(
        "/users/me/analytics/series",
        interval="day",
        start="2026-01-31T00:00:01Z",
        end="2026-02-02T09:00:00Z",
    )

    assert rows(answer) == [("2026-02-01", 2)]


def test_nothing_gives_an_empty_list(ada: ApiClient) -> None:
    assert rows(ada.get("/users/me/analytics/series", interval="week")) == []


@pytest.mark.parametrize(
    "query", [{}, {"interval": "year"}, {"interval": "day", "currency": "USD"}]
)
def test_an_interval_is_asked_for(ada: ApiClient, query: dict[str, str]) -> None:
    assert ada.get("/users/me/analytics/series", **query).status_code == 400


@pytest.mark.parametrize(("interval", "most"), [("day", 3), ("week", 2), ("month", 2)])
def test_a_series_of_too_many_intervals_is_refused(
    history: ApiClient, interval: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "MAX_SERIES_ROWS", most)

    def series(**period: str) -> Any:
        return history.get("/users/me/analytics/series", interval=interval, **period)

    for too_long in (series(), series(end="2026-02-02T09:00:01Z")):
        assert (too_long.status_code, too_long.json()["code"]) == (400, "series-too-long")
    assert series(start="2026-02-02").status_code == 200


def test_a_withdrawn_currency_stays_readable(ada: ApiClient) -> None:
    credit(ada, "19.90")
    withdraw_currency()

    (row,) = ada.get("/users/me/analytics/series", interval="day").json()["results"]

    (line,) = row["by_currency"]
    assert (line["currency"], line["total_credit"], line["total_debit"]) == ("HRK", "19.90", "0.00")
