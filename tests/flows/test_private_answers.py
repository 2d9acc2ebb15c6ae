"""What a shared cache may keep, and what staff may ask a list for."""

import pytest
from django.test import Client

from accounts.models import User
from tests.client import ApiClient
from tests.factories import PASSWORD, StaffFactory, record

pytestmark = pytest.mark.django_db(transaction=True)


def test_no_answer_of_the_api_is_kept_for_somebody_else(ada: ApiClient, anybody: ApiClient) -> None:
    assert ada.user
    row = record(ada.user)
    answers = [
        *(ada.get(path) for path in ("/analytics", "/transactions", f"/transactions/{row.pk}")),
        *(ada.get("/analytics") for _ in range(2)),  # kept, and before Django
        ada.get("/transactions/export"),
        ada.get("/nothing"),
        ada.post("/transactions", {}),
        ada.delete(f"/transactions/{row.pk}"),
        anybody.get("/users/me"),
        anybody.post("/auth/login", {"username": "ada", "password": PASSWORD}),
    ]

    for answer in answers:
        kept = answer.headers.get("Cache-Control", "")
        assert "Authorization" in answer.headers["Vary"]
        assert "no-store" in kept or "ETag" in answer.headers, (answer.status_code, kept)
        answer.close()


@pytest.fixture
def admin(db: None) -> Client:
    client = Client()
    client.force_login(StaffFactory.create())
    return client


@pytest.mark.parametrize(
    "query",
    [
        "session_epoch__startswith=a",
        "password__startswith=argon2",
        "full_name_index__gt=a",
        "email_index__isnull=False",
        "groups__user__password__startswith=argon2",
        "groups__user__session_epoch__startswith=a",
        "is_staffed=1",
    ],
)
def test_a_list_is_asked_for_nothing_but_its_filters(
    admin: Client, ada: ApiClient, query: str
) -> None:
    assert User.objects.count() == 2

    answer = admin.get(f"/admin/accounts/user/?{query}")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/accounts/user/?e=1")


@pytest.mark.parametrize(
    ("model", "query"),
    [
        ("accounts/user", "is_active__exact=1"),
        ("accounts/user", "groups__id__exact=1"),
        (
            "transactions/transaction",
            "transaction_date__gte=2026-01-01+00%3A00%3A00%2B00%3A00&currency=USD",
        ),
        ("wallets/wallet", "closed_at__isempty=1"),
        ("imports/import", "status__exact=done"),
        ("accounts/accesslogentry", "route__exact=api"),
    ],
)
def test_its_filters_it_answers(admin: Client, model: str, query: str) -> None:
    assert admin.get(f"/admin/{model}/?{query}").status_code == 200
