"""`POST /users/bulk`: many customers who do not log in."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import SERVICE_GROUP, User
from accounts.wallets.models import Balance, Wallet
from fido.models import IdempotencyKey
from tests.api_keys import Machine
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory
from tests.key_rings import stored
from tests.races import at_once

pytestmark = pytest.mark.django_db
BEN = {"name": "Ben Nevis", "total": "12.50", "currency": "EUR"}
JANE = {"name": "Jane Doe"}
PATH = "/users/bulk"


@pytest.fixture
def service(db: None) -> ApiClient:
    user = UserFactory.create(username="bank")
    user.groups.add(Group.objects.get(name=SERVICE_GROUP))
    return ApiClient(user)


def made() -> list[User]:
    return list(User.objects.filter(username__startswith="customer-").order_by("id"))


def nothing_is_made() -> bool:
    return not (made() or Wallet.objects.exists() or Balance.objects.exists())


def test_each_customer_is_as_one_that_was_made_alone(service: ApiClient) -> None:
    answer = service.post(PATH, [BEN, JANE])
    alone = service.post("/users", JANE).json()

    assert answer.status_code == 201, answer.content
    ben, jane, other = made()
    shown = [
        {"id": ben.pk, "name": "Ben Nevis", "total": "12.50"},
        {"id": jane.pk, "name": "Jane Doe", "total": "0.00"},
    ]
    results = [{"index": n, "status": 201, "customer": each} for n, each in enumerate(shown)]
    assert answer.json() == {"created": 2, "refused": 0, "results": results}
    assert alone == shown[1] | {"id": other.pk}
    unlike = {"id", "username", "password", "full_name", "session_epoch", "date_joined", "_state"}
    assert {k: v for k, v in vars(jane).items() if k not in unlike} == {
        k: v for k, v in vars(other).items() if k not in unlike
    }
    assert b"Jane" not in (stored(jane, "full_name") or b"Jane")


def test_each_has_its_own_balance_in_main_and_can_be_recorded_for(service: ApiClient) -> None:
    service.post(PATH, [BEN, JANE])

    ben, jane = made()
    balances = Balance.objects.select_related("wallet").order_by("user_id")
    held = [(each.user_id, each.wallet.name, each.currency, each.amount) for each in balances]
    assert held == [(ben.pk, "main", "EUR", Decimal("12.5")), (jane.pk, "main", "USD", Decimal(0))]
    assert all(each.wallet.user_id == each.user_id for each in balances)
    body = {"user_id": ben.pk, "transaction_amount": "12.50", "transaction_type": "debit"}
    body |= {"transaction_date": "2026-01-31", "wallet": "main"}
    assert service.post("/transactions", body).status_code == 201
    assert service.post("/transactions", body).json()["code"] == "insufficient-funds"


def test_nobody_of_them_logs_in(service: ApiClient, anybody: ApiClient) -> None:
    service.post(PATH, [BEN, JANE])

    assert len({user.password for user in made()}) == 2
    assert not any(user.has_usable_password() for user in made())
    for user in made():
        login = {"username": user.username, "password": user.password}
        assert anybody.post("/auth/login", login).status_code == 401


BAD = [BEN, {"total": "-1"}, JANE | {"password": "x"}, BEN | {"total": "0.001"}, "x"]
FAULTS = [
    ("#/1/name", "required"),
    ("#/1/total", "negative"),
    ("#/2/password", "unknown"),
    ("#/3/total", "too-many-decimals"),
    ("#/4", "validation-error"),
]


def test_one_that_is_malformed_refuses_all(service: ApiClient) -> None:
    answer = service.post(PATH, BAD)

    assert errors_of(answer)[:4] == FAULTS[:4]
    assert errors_of(answer)[4][0] == "#/4"
    assert nothing_is_made()


def test_each_on_its_own_leaves_the_malformed_out(service: ApiClient) -> None:
    answer = service.post(f"{PATH}?atomic=false", [*BAD, JANE])

    assert answer.status_code == 200
    body = answer.json()
    assert (body["created"], body["refused"]) == (2, 4)
    assert [each["index"] for each in body["results"]] == list(range(6))
    assert [each["status"] for each in body["results"]] == [201, 400, 400, 400, 400, 201]
    found = [(error["pointer"], error["code"]) for error in body["results"][1]["errors"]]
    assert found == FAULTS[:2]
    assert [user.full_name for user in made()] == ["Ben Nevis", "Jane Doe"]
    assert [each["customer"]["id"] for each in body["results"] if "customer" in each] == [
        user.pk for user in made()
    ]


def test_none_that_is_well_formed_makes_nobody(service: ApiClient) -> None:
    body = service.post(f"{PATH}?atomic=false", [{}, {}]).json()

    assert (body["created"], body["refused"]) == (0, 2)
    assert nothing_is_made()


@pytest.mark.parametrize(
    ("body", "error"), [([], ("#", "empty")), ({}, ("#", "not-a-list")), (1, ("#", "not-a-list"))]
)
def test_what_is_no_list_of_customers_is_refused(
    service: ApiClient, body: Any, error: tuple[str, str]
) -> None:
    assert errors_of(service.post(PATH, body)) == [error]


def test_a_thousand_are_made_in_few_statements_and_no_more_at_once(service: ApiClient) -> None:
    with CaptureQueriesContext(connection) as few:
        service.post(PATH, [BEN] * 2)
    with CaptureQueriesContext(connection) as many:
        answer = service.post(PATH, [BEN] * 1000)

    assert (answer.status_code, answer.json()["created"]) == (201, 1000)
    assert len(many) == len(few)
    assert len({user.username for user in made()}) == Balance.objects.count() == 1002
    refused = service.post(PATH, [BEN] * 1001)
    assert (refused.status_code, refused.json()["code"]) == (400, "too-many-rows")
    assert "1000" in refused.json()["detail"]
    assert len(made()) == 1002


def test_a_body_larger_than_a_bulk_may_be_is_refused(service: ApiClient, settings: Any) -> None:
    settings.MAX_BULK_BODY_BYTES = 1000

    assert service.post(PATH, [BEN] * 10).status_code == 201
    assert service.post(PATH, [BEN] * 30).json()["code"] == "body-too-large"


def test_others_may_not(ada: ApiClient, anybody: ApiClient) -> None:
    clerk = ApiClient(UserFactory.create(is_staff=True))
    clerk.grant("accounts.view_user")

    for client, status in ((ada, 403), (clerk, 403), (anybody, 401)):
        assert client.post(PATH, [JANE]).status_code == status
    assert nothing_is_made()
    clerk.grant("accounts.add_user")
    assert ApiClient(clerk.user).post(PATH, [JANE]).status_code == 201


def test_a_key_needs_its_scope(service: ApiClient) -> None:
    assert service.user
    reads, writes = (
        Machine(service.user, f"users:{verb}", name=verb) for verb in ("read", "write")
    )

    assert reads.post(PATH, [JANE]).json()["code"] == "scope-missing"
    assert writes.post(PATH, [JANE]).status_code == 201


def test_for_a_key_they_are_made_once(service: ApiClient) -> None:
    first, second = (service.post(PATH, [BEN, JANE], HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))
    other = service.post(PATH, [JANE, BEN], HTTP_IDEMPOTENCY_KEY="k")

    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert len(made()) == 2
    assert b"Jane" not in (stored(IdempotencyKey.objects.get(), "answer") or b"Jane")


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_with_one_key_one_makes_them(service: ApiClient) -> None:
    answers = at_once(*[partial(service.post, PATH, [BEN, JANE], HTTP_IDEMPOTENCY_KEY="k")] * 8)

    done = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in done}) == 1
    assert (len(made()), Wallet.objects.count(), Balance.objects.count()) == (2, 2, 2)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_make_customers_of_their_own(service: ApiClient) -> None:
    answers = at_once(*[partial(service.post, PATH, [BEN] * 20)] * 4)

    ids = [row["customer"]["id"] for answer in answers for row in answer.json()["results"]]
    assert sorted(ids) == [user.pk for user in made()]
    assert len(set(ids)) == Wallet.objects.count() == Balance.objects.count() == 80


@pytest.mark.django_db(transaction=True)
def test_what_fails_midway_leaves_nobody(service: ApiClient) -> None:
    table = Balance._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT closed CHECK (amount < 5) NOT VALID")
    try:
        assert service.post(PATH, [JANE, BEN]).status_code == 500
        assert nothing_is_made()
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT closed")
