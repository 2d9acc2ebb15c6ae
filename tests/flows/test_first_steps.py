"""A new customer's first steps, through the API alone."""

from tests.client import ApiClient


def test_a_newcomer_registers_logs_in_records_and_reads_exact_analytics(
    db: None, anybody: ApiClient
) -> None:
    registered = anybody.post(
        "/auth/register",
        {
            "username": "jane",
            "email": "Jane@Example.org",
            "password": "correct horse battery",
            "full_name": "Jane Doe",
        },
    )
    assert registered.status_code == 201, registered.content
    login = anybody.post(
        "/auth/login", {"username": "JANE@example.org", "password": "correct horse battery"}
    )
    assert login.status_code == 200, login.content
    jane = ApiClient(token=login.json()["access_token"])
    for amount, kind in (("0.10", "credit"), (0.20, "credit"), ("19.99", "debit")):
        answer = jane.post(
            "/transactions",
            {
                "transaction_amount": amount,
                "transaction_type": kind,
                "transaction_date": "2026-01-31",
            },
        )
        assert answer.status_code == 201, answer.content

    analytics = jane.get("/analytics").json()

    assert analytics["total_credit"] == "0.30"
    assert analytics["total_debit"] == "19.99"
    assert analytics["full_name"] == "Jane Doe"
    assert analytics["average_transaction_value"] == "6.76"
    history = jane.get("/transactions", limit=2)
    assert [row["transaction_amount"] for row in history.json()["results"]] == ["19.99", "0.20"]
