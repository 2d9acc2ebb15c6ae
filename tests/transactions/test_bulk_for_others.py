"""Bulks for several users, and who may record for whom."""

from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP, AccessLogEntry, User
from fido.models import IdempotencyKey
from tests.bulks import ROW, each, nothing_is_recorded, post, statuses
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory
from tests.fences import Step, steps, writer_stands
from tests.movements import assert_exact
from transactions import operations
from transactions.api import bulk
from transactions.models import Transaction

__all__ = ["steps"]  # a fixture
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def service(db: None) -> ApiClient:
    user = UserFactory.create(username="importer")
    user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    return ApiClient(user)


def test_a_service_records_for_several_users_row_by_row(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    named = {"full_name": "Somebody", "description": "Tea"}
    rows = [
        ROW | {"user_id": ben.user_id},
        ROW | {"user_id": ada.user_id} | named,
        ROW | {"user_id": 999_999_999},
        ROW,
        ROW | {"user_id": ada.user_id, "external_id": "a"},
    ]

    answer = each(service, rows)

    assert statuses(answer) == [201, 201, 400, 201, 201]
    made = [result.get("transaction") for result in answer["results"]]
    owners = [row and row["user_id"] for row in made]
    assert owners == [ben.user_id, ada.user_id, None, service.user_id, ada.user_id]
    assert [row and row["full_name"] for row in made[:2]] == ["B••• N•••", "Somebody"]
    errors = answer["results"][2]["errors"]
    assert [(e["pointer"], e["code"]) for e in errors] == [("#/2/user_id", "unknown-user")]
    assert not AccessLogEntry.objects.exists()
    for client in (ada, ben, service):
        assert_exact(User.objects.get(pk=client.user_id))


def test_defaults_are_those_of_each_rows_user(service: ApiClient, ada: ApiClient) -> None:
    User.objects.filter(pk=ada.user_id).update(currency="JPY")

    whole = post(service, [ROW | {"user_id": ada.user_id}])
    answer = each(service, [ROW | {"user_id": ada.user_id, "transaction_amount": "5"}, ROW])

    assert errors_of(whole) == [("#/0/transaction_amount", "too-many-decimals")]
    shown = [result["transaction"] for result in answer["results"]]
    assert [(row["currency"], row["transaction_amount"]) for row in shown] == [
        ("JPY", "5"),
        ("USD", "1.50"),
    ]


def test_what_is_recorded_as_one_belongs_to_one_user(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    answer = post(service, [ROW | {"user_id": client.user_id} for client in (ada, ben)])

    assert (answer.status_code, answer.json()["code"]) == (400, "several-users")
    assert nothing_is_recorded()
    assert post(service, [ROW | {"user_id": ada.user_id}] * 2).status_code == 201


def test_a_customer_records_for_nobody_else_and_learns_nothing_of_them(
    ada: ApiClient, ben: ApiClient
) -> None:
    foreign = [ROW | {"user_id": user_id} for user_id in (ben.user_id, 999_999_999)]

    answers = [post(ada, [ROW, row]) for row in foreign]
    results = each(ada, [*foreign, ROW])["results"]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].content == answers[1].content
    code = "permission-denied"
    assert results[:2] == [{"index": n, "status": 403, "code": code} for n in range(2)]
    assert Transaction.objects.get().user_id == ada.user_id


def test_nobody_records_without_logging_in(db: None, anybody: ApiClient) -> None:
    assert post(anybody, [ROW]).status_code == 401
    assert nothing_is_recorded()


def test_several_users_with_a_key_commit_together(
    service: ApiClient, ada: ApiClient, ben: ApiClient, steps: list[Step]
) -> None:
    rows = [ROW | {"user_id": client.user_id} for client in (ben, ada, ben)]
    users = [ada.user_id, ben.user_id]

    answers = [each(service, rows, HTTP_IDEMPOTENCY_KEY="march") for _ in range(2)]

    assert answers[0] == answers[1]
    assert Transaction.objects.count() == 3
    around = [("enter", user_id, False) for user_id in users]
    around += [("leave", user_id, False) for user_id in reversed(users)]
    assert steps == around * 2  # a replay acknowledges what was written
    assert not any(writer_stands(user_id) for user_id in users)


def test_a_key_is_not_for_too_many_users(
    service: ApiClient, ada: ApiClient, ben: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MAX_USERS_OF_A_KEY", 1)
    rows = [ROW | {"user_id": client.user_id} for client in (ada, ben)]

    answer = post(service, rows, "?atomic=false", HTTP_IDEMPOTENCY_KEY="march")

    assert (answer.status_code, answer.json()["code"]) == (400, "too-many-users")
    assert nothing_is_recorded()
    assert post(service, rows[:1], HTTP_IDEMPOTENCY_KEY="march").status_code == 201
    assert each(service, rows)["created"] == 2


def test_several_users_with_a_key_fail_together(
    service: ApiClient, ada: ApiClient, ben: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [ROW | {"user_id": client.user_id} for client in (ada, ben)]
    record_many = operations.record_many

    def fail_for_ben(owner: User, **arguments: Any) -> Any:
        if owner.pk == ben.user_id:
            raise RuntimeError("no")
        return record_many(owner=owner, **arguments)

    monkeypatch.setattr(operations, "record_many", fail_for_ben)
    answer = post(service, rows, "?atomic=false", HTTP_IDEMPOTENCY_KEY="march")

    assert answer.status_code == 500
    assert nothing_is_recorded()
    assert not IdempotencyKey.objects.exists()
    assert not any(writer_stands(client.user_id) for client in (ada, ben))
