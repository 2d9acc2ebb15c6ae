"""A file becomes transactions."""

from decimal import Decimal

import pytest

from tests.client import ApiClient
from tests.imports import csv, faults, imported
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_become_transactions(ada: ApiClient) -> None:
    header = (
        "Transaction_Date,transaction_amount,transaction_type,full_name,description,external_id"
    )
    row = imported(
        ada,
        csv(
            '2026-01-31,19.99,credit,Jane Doe,"a, ""b""\nand c",x-1',
            "2026-02-01T10:00:00+02:00,1,debit,,,",
            header=header,
        ),
    )

    assert (row.status, row.rows_read, row.rows_created, row.rows_refused) == ("done", 2, 2, 0)
    first, second = Transaction.objects.order_by("transaction_date")
    assert first.full_name == "Jane Doe"
    assert first.description == 'a, "b"\nand c'
    assert first.transaction_amount == Decimal("19.99")
    assert first.external_id == "x-1"
    assert second.full_name is None
    body = ada.get("/analytics").json()
    assert (body["total_credit"], body["total_debit"], body["total_transactions"]) == (
        "19.99",
        "1.00",
        2,
    )
    assert ada.get("/transactions", full_name="jane doe").json()["results"][0]["id"] == str(
        first.pk
    )


def test_bad_rows_are_told_by_line_and_column(ada: ApiClient) -> None:
    row = imported(ada, csv("2026-01-31,1,credit", "x,-1,deposit", "2026-01-31,1.001,debit", "1,2"))

    assert (row.rows_created, row.rows_refused) == (1, 3)
    assert faults(row) == [
        (3, "transaction_date", "invalid"),
        (3, "transaction_amount", "not-positive"),
        (3, "transaction_type", "invalid-choice"),
        (4, "transaction_amount", "too-many-decimals"),
        (5, "", "wrong-number-of-cells"),
    ]
