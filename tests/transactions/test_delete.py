"""DELETE /transactions/{id}: deleted once, and not found afterwards."""

import pytest

from analytics.models import DailyTotals
from tests.client import ApiClient
from tests.factories import record
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


def test_a_deleted_transaction_is_gone_and_its_money_with_it(ada: ApiClient) -> None:
    assert ada.user
    kept, gone = record(ada.user), record(ada.user)

    response = ada.delete(f"/transactions/{gone.pk}")

    assert (response.status_code, response.content) == (204, b"")
    assert list(Transaction.objects.all()) == [kept]
    assert ada.get("/analytics").json()["total_credit"] == "10.00"


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_after_a_delete_every_method_finds_nothing(ada: ApiClient, method: str) -> None:
    assert ada.user
    row = record(ada.user)
    ada.delete(f"/transactions/{row.pk}")

    body = {"transaction_amount": "1", "transaction_type": "debit"}
    response = ada.request(method, f"/transactions/{row.pk}", body if method[0] == "p" else None)

    assert (response.status_code, response.json()["code"]) == (404, "not-found")
    assert DailyTotals.objects.count() == 2


def test_a_delete_of_nothing_is_404(ada: ApiClient) -> None:
    assert ada.delete("/transactions/00000000-0000-7000-8000-000000000000").status_code == 404
