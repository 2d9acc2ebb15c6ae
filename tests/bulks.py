"""Bulks, and their results."""

from typing import Any

from analytics.models import DailyTotals
from tests.client import ApiClient
from transactions.models import Transaction

ROW = {"transaction_date": "2026-01-31", "transaction_amount": "1.50", "transaction_type": "credit"}


def post(client: ApiClient, rows: Any, query: str = "", **extra: Any) -> Any:
    return client.post(f"/transactions/bulk{query}", rows, **extra)


def each(client: ApiClient, rows: Any, **extra: Any) -> Any:
    answer = post(client, rows, "?atomic=false", **extra)
    assert answer.status_code == 200, answer.content
    return answer.json()


def statuses(answer: Any) -> list[int]:
    assert [result["index"] for result in answer["results"]] == list(range(len(answer["results"])))
    return [result["status"] for result in answer["results"]]


def nothing_is_recorded() -> bool:
    return not Transaction.objects.exists() and not DailyTotals.objects.exists()
