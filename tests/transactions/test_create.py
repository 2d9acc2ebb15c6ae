"""POST /transactions: defaults, recording for others, and the client's own id."""

from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP, AccessLogEntry, User
from analytics.models import DailyTotals
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory
from tests.key_rings import stored
from tests.races import at_once
from transactions.models import Transaction

BODY = {
    "transaction_date": "2026-01-31T13:30:00+01:30",
    "transaction_amount": "19.99",
    "transaction_type": "debit",
}

pytestmark = pytest.mark.django_db


@pytest.fixture
def service(db: None) -> ApiClient:
    user = UserFactory.create(username="importer", full_name="The Importer", currency="EUR")
    user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    return ApiClient(user)


@pytest.fixture
def clerk(db: None) -> ApiClient:
    """Staff without any permission."""
    return ApiClient(UserFactory.create(username="clerk", is_staff=True))


def nothing_is_recorded() -> bool:
    return not Transaction.objects.exists() and not DailyTotals.objects.exists()


def test_what_is_not_named_comes_from_the_caller(ada: ApiClient) -> None:
    User.objects.filter(pk=ada.user_id).update(currency="EUR")

    response = ada.post("/transactions", BODY)

    assert response.status_code == 201
    answer = response.json()
    row = Transaction.objects.get()
    assert answer.pop("created_at") == row.created_at.isoformat().replace("+00:00", "Z")
    assert answer.pop("updated_at") == row.updated_at.isoformat().replace("+00:00", "Z")
    assert answer == {
        "id": str(row.pk),
        "user_id": ada.user_id,
        "full_name": "Ada Lovelace",
        "transaction_date": "2026-01-31T12:00:00Z",
        "transaction_amount": "19.99",
        "transaction_type": "debit",
        "currency": "EUR",
        "description": None,
        "external_id": None,
        "wallet": None,
        "category": None,
    }


def test_what_is_named_is_kept(ada: ApiClient) -> None:
    named = BODY | {
        "user_id": ada.user_id,
        "full_name": "Countess  of Lovelace",
        "currency": "KWD",
        "transaction_amount": "0.125",
        "description": "Punched cards",
        "external_id": "inv/1",
    }

    answer = ada.post("/transactions", named).json()

    expected = named | {"transaction_date": "2026-01-31T12:00:00Z"}
    assert {name: answer[name] for name in expected} == expected
    row = Transaction.objects.get()
    assert (row.transaction_amount, row.currency) == (Decimal("0.1250"), "KWD")
    assert row.transaction_date == datetime(2026, 1, 31, 12, tzinfo=UTC)


def test_the_location_leads_to_the_record(ada: ApiClient) -> None:
    response = ada.post("/transactions", BODY)

    location = response.headers["Location"]
    assert location == f"http://testserver/api/v1/transactions/{response.json()['id']}"
    assert ada.get(location).json() == response.json()


@pytest.mark.parametrize("path", ["/transactions", "/transactions/"])
def test_a_trailing_slash_makes_no_difference(ada: ApiClient, path: str) -> None:
    response = ada.post(path, BODY)

    assert response.status_code == 201
    assert ada.get(response.headers["Location"]).status_code == 200


def test_ids_are_uuid7_in_the_order_of_arrival(ada: ApiClient) -> None:
    ids = [UUID(ada.post("/transactions", BODY).json()["id"]) for _ in range(5)]

    assert {each.version for each in ids} == {7}
    assert ids == sorted(ids)


def test_a_null_name_is_no_name(ada: ApiClient) -> None:
    answer = ada.post("/transactions", BODY | {"full_name": None}).json()

    row = Transaction.objects.get()
    assert answer["full_name"] is None
    assert row.full_name is None
    assert row.full_name_index is None


def test_names_and_descriptions_are_kept_encrypted(ada: ApiClient) -> None:
    ada.post("/transactions", BODY | {"description": "Punched cards"})

    row = Transaction.objects.get()
    for column, value in (("full_name", b"Lovelace"), ("description", b"Punched")):
        token = stored(row, column)
        assert token
        assert token.startswith(b"gAAAA")
        assert value not in token


@pytest.mark.parametrize(
    "permissions", [["transactions.add_transaction"], ["transactions.view_transaction"], []]
)
def test_staff_record_for_others_by_permission(
    clerk: ApiClient, ada: ApiClient, permissions: list[str]
) -> None:
    clerk.grant(*permissions)

    response = clerk.post("/transactions", BODY | {"user_id": ada.user_id})

    allowed = permissions == ["transactions.add_transaction"]
    assert response.status_code == (201 if allowed else 403)
    assert Transaction.objects.filter(user_id=ada.user_id).count() == allowed
    assert DailyTotals.objects.filter(user_id=ada.user_id).count() == allowed


def test_a_service_account_records_for_others_with_their_defaults(
    service: ApiClient, ada: ApiClient
) -> None:
    response = service.post("/transactions", BODY | {"user_id": ada.user_id})

    assert response.status_code == 201
    row = Transaction.objects.get()
    assert (row.user_id, row.full_name, row.currency) == (ada.user_id, "Ada Lovelace", "USD")


def test_recording_for_somebody_does_not_open_their_name(
    service: ApiClient, clerk: ApiClient, ada: ApiClient
) -> None:
    clerk.grant("transactions.add_transaction")

    for recorder in (service, clerk):
        response = recorder.post("/transactions", BODY | {"user_id": ada.user_id})

        assert response.status_code == 201
        assert response.json()["full_name"] == "A••• L•••"
    assert not AccessLogEntry.objects.exists()


def test_staff_who_may_open_names_are_logged_when_one_is_filled_in(
    staff: ApiClient, ada: ApiClient
) -> None:
    response = staff.post("/transactions", BODY | {"user_id": ada.user_id})

    assert response.json()["full_name"] == "Ada Lovelace"
    assert AccessLogEntry.objects.get().subject_id == ada.user_id


def test_a_user_records_for_nobody_else(ada: ApiClient, ben: ApiClient) -> None:
    ada.grant("transactions.add_transaction")  # has no effect for non-staff

    response = ada.post("/transactions", BODY | {"user_id": ben.user_id})

    assert (response.status_code, response.json()["code"]) == (403, "permission-denied")
    assert nothing_is_recorded()


def test_a_user_does_not_learn_whether_somebody_exists(ada: ApiClient, ben: ApiClient) -> None:
    answers = [
        ada.post("/transactions", BODY | {"user_id": user_id})
        for user_id in (ben.user_id, 999_999_999)
    ]

    assert answers[0].content == answers[1].content


def test_an_unknown_user_is_refused(service: ApiClient) -> None:
    response = service.post("/transactions", BODY | {"user_id": 999_999_999})

    assert errors_of(response) == [("#/user_id", "unknown-user")]
    assert nothing_is_recorded()


@pytest.mark.parametrize("field", ["transaction_date", "transaction_amount", "transaction_type"])
def test_what_has_no_default_is_required(ada: ApiClient, field: str) -> None:
    response = ada.post("/transactions", {k: v for k, v in BODY.items() if k != field})

    assert errors_of(response) == [(f"#/{field}", "required")]
    assert nothing_is_recorded()


@pytest.mark.parametrize(
    ("amount", "currency"), [("0.5", "JPY"), ("1.005", "USD"), ("1.0001", "KWD"), ("1.000", "EUR")]
)
def test_more_decimals_than_the_currency_has_are_refused(
    ada: ApiClient, amount: str, currency: str
) -> None:
    response = ada.post(
        "/transactions", BODY | {"transaction_amount": amount, "currency": currency}
    )

    assert errors_of(response) == [("#/transaction_amount", "too-many-decimals")]
    assert nothing_is_recorded()


@pytest.mark.parametrize("field", ["id", "created_at", "version", "full_name_index", "wallet_id"])
def test_what_is_not_the_clients_to_write_is_refused(ada: ApiClient, field: str) -> None:
    response = ada.post("/transactions", BODY | {field: "1"})

    assert errors_of(response) == [(f"#/{field}", "unknown")]
    assert nothing_is_recorded()


def test_a_second_external_id_is_refused_and_names_the_first(ada: ApiClient) -> None:
    first = ada.post("/transactions", BODY | {"external_id": "inv/1"}).json()

    second = ada.post("/transactions", BODY | {"external_id": "inv/1", "transaction_amount": "5"})

    assert second.status_code == 409
    assert second.json()["code"] == "external-id-taken"
    assert second.json()["existing_id"] == first["id"]
    assert Transaction.objects.get().transaction_amount == Decimal("19.99")
    assert DailyTotals.objects.count() == 1


def test_an_external_id_is_free_for_another_user_and_in_another_case(
    ada: ApiClient, ben: ApiClient
) -> None:
    answers = [
        client.post("/transactions", BODY | {"external_id": external_id}).status_code
        for client, external_id in ((ada, "inv/1"), (ben, "inv/1"), (ada, "INV/1"))
    ]

    assert answers == [201, 201, 201]


def test_an_external_id_is_free_again_after_a_delete(ada: ApiClient) -> None:
    first = ada.post("/transactions", BODY | {"external_id": "inv/1"})
    ada.delete(first.headers["Location"])

    assert ada.post("/transactions", BODY | {"external_id": "inv/1"}).status_code == 201


@pytest.mark.parametrize("external_id", ["", "x" * 256, 7])
def test_a_malformed_external_id_is_refused(ada: ApiClient, external_id: Any) -> None:
    response = ada.post("/transactions", BODY | {"external_id": external_id})

    assert [pointer for pointer, _ in errors_of(response)] == ["#/external_id"]
    assert nothing_is_recorded()


@pytest.mark.django_db(transaction=True)
def test_of_eight_with_one_external_id_at_once_one_is_recorded(ada: ApiClient) -> None:
    record = partial(ada.post, "/transactions", BODY | {"external_id": "inv/1"})

    answers = at_once(*[record] * 8)

    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    row = Transaction.objects.get()
    refused = [answer.json() for answer in answers if answer.status_code == 409]
    assert {answer["existing_id"] for answer in refused} == {str(row.pk)}
    assert DailyTotals.objects.count() == 1


def test_nobody_records_without_logging_in(db: None, anybody: ApiClient) -> None:
    assert anybody.post("/transactions", BODY).status_code == 401
    assert nothing_is_recorded()
