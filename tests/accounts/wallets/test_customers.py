"""`POST /users`: a customer who does not log in."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP, User
from accounts.wallets.models import Balance, Wallet
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory
from tests.key_rings import stored

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(db: None) -> ApiClient:
    user = UserFactory.create(username="bank")
    user.groups.add(Group.objects.get(name=SERVICE_GROUP))
    return ApiClient(user)


def made() -> list[User]:
    return list(User.objects.filter(username__startswith="customer-"))


def test_a_customer_has_an_opening_balance_in_main(service: ApiClient) -> None:
    answer = service.post("/users", {"name": "Jane Doe", "total": "12.50", "currency": "EUR"})

    assert answer.status_code == 201
    (user,) = made()
    assert answer.json() == {"id": user.pk, "name": "Jane Doe", "total": "12.50"}
    assert answer.headers["Location"] == f"http://testserver/api/v1/users/{user.pk}"
    assert (user.full_name, user.currency) == ("Jane Doe", "EUR")
    assert user.email is None
    assert (user.is_staff, user.has_usable_password()) == (False, False)
    assert b"Jane" not in (stored(user, "full_name") or b"Jane")
    balance = Balance.objects.select_related("wallet").get(user=user)
    assert (balance.wallet.name, balance.currency) == ("main", "EUR")
    assert (balance.opening, balance.amount) == (Decimal("12.50"), Decimal("12.50"))


def test_staff_make_one_with_nothing(staff: ApiClient) -> None:
    answer = staff.post("/users", {"name": "Jane Doe"})

    assert (answer.status_code, answer.json()["total"]) == (201, "0.00")
    assert Balance.objects.get().currency == "USD"


def test_a_customer_can_be_recorded_for(service: ApiClient) -> None:
    user_id = service.post("/users", {"name": "Jane Doe", "total": 5}).json()["id"]
    body = {"user_id": user_id, "transaction_amount": "5", "transaction_type": "debit"}
    body |= {"transaction_date": "2026-01-31", "wallet": "main"}

    assert service.post("/transactions", body).status_code == 201
    assert service.post("/transactions", body).json()["code"] == "insufficient-funds"


def test_a_customer_does_not_log_in(service: ApiClient, anybody: ApiClient) -> None:
    service.post("/users", {"name": "Jane Doe"})

    for password in ("", "!", made()[0].password):
        login = {"username": made()[0].username, "password": password or "x"}
        assert anybody.post("/auth/login", login).status_code == 401


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"total": "1"}, ("#/name", "required")),
        ({"name": " "}, ("#/name", "blank")),
        ({"name": None}, ("#/name", "null")),
        ({"name": "x" * 201}, ("#/name", "max-length")),
        ({"name": "A", "total": "-0.01"}, ("#/total", "negative")),
        ({"name": "A", "total": "0.001"}, ("#/total", "too-many-decimals")),
        ({"name": "A", "total": "0.5", "currency": "JPY"}, ("#/total", "too-many-decimals")),
        ({"name": "A", "currency": "XXX"}, ("#/currency", "invalid-choice")),
        ({"name": "A", "password": "x"}, ("#/password", "unknown")),
    ],
)
def test_what_is_malformed_makes_nobody(
    staff: ApiClient, body: dict[str, Any], error: tuple[str, str]
) -> None:
    assert errors_of(staff.post("/users", body)) == [error]
    assert (made(), Wallet.objects.count()) == ([], 0)


def test_others_may_not(ada: ApiClient, anybody: ApiClient) -> None:
    clerk = ApiClient(UserFactory.create(is_staff=True))
    clerk.grant("accounts.view_user")

    for client, status in ((ada, 403), (clerk, 403), (anybody, 401)):
        assert client.post("/users", {"name": "Jane Doe"}).status_code == status
    clerk.grant("accounts.add_user")
    assert made() == []
    assert ApiClient(clerk.user).post("/users", {"name": "Jane Doe"}).status_code == 201


def test_a_customer_is_made_once_for_a_key(service: ApiClient) -> None:
    first, second = (
        service.post("/users", {"name": "Jane Doe"}, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2)
    )

    assert (second.status_code, second.content) == (201, first.content)
    assert len(made()) == 1


def test_a_service_still_lists_nobody(service: ApiClient) -> None:
    assert service.get("/users").status_code == 403
