"""Whose transactions a user may read and change, and which fields appear in clear."""

from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP, AccessLogEntry
from tests.client import ApiClient
from tests.factories import UserFactory, record
from transactions.models import Transaction

NOWHERE = "00000000-0000-7000-8000-000000000000"
BODY = {"transaction_amount": "7.50", "transaction_type": "debit"}
METHODS: dict[str, Any] = {"get": None, "put": BODY, "patch": BODY, "delete": None}

pytestmark = pytest.mark.django_db


@pytest.fixture
def clerk(db: None) -> ApiClient:
    """Staff without any permission."""
    return ApiClient(UserFactory.create(username="clerk", is_staff=True))


@pytest.fixture
def service(db: None) -> ApiClient:
    user = UserFactory.create(username="importer")
    user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    return ApiClient(user)


@pytest.fixture
def row(ada: ApiClient) -> Transaction:
    assert ada.user
    return record(ada.user, full_name="Ada Lovelace", description="Punched cards")


def unchanged(row: Transaction) -> bool:
    return Transaction.objects.filter(pk=row.pk, version=1).exists()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("who", ["ben", "clerk", "service"])
def test_anothers_record_answers_as_one_that_is_not_there(
    request: pytest.FixtureRequest, row: Transaction, who: str, method: str
) -> None:
    client: ApiClient = request.getfixturevalue(who)

    there = client.request(method, f"/transactions/{row.pk}", METHODS[method])
    nowhere = client.request(method, f"/transactions/{NOWHERE}", METHODS[method])

    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert there.content.replace(str(row.pk).encode(), NOWHERE.encode()) == nowhere.content
    assert unchanged(row)


def test_a_malformed_edit_of_anothers_record_is_404_too(ben: ApiClient, row: Transaction) -> None:
    for method in ("put", "patch"):
        response = ben.request(method, f"/transactions/{row.pk}", {"color": "red"})
        assert response.status_code == 404


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("permission", ["view", "change", "delete", "add"])
def test_each_permission_lets_staff_do_what_it_names_alone(
    clerk: ApiClient, row: Transaction, permission: str, method: str
) -> None:
    clerk.grant(f"transactions.{permission}_transaction")

    response = clerk.request(method, f"/transactions/{row.pk}", METHODS[method])

    needed = {"get": "view", "put": "change", "patch": "change", "delete": "delete"}[method]
    expected = {"delete": 204}.get(method, 200) if permission == needed else 404
    assert response.status_code == expected
    assert unchanged(row) == (expected == 404 or method == "get")


@pytest.mark.parametrize("method", METHODS)
def test_permissions_have_no_effect_for_non_staff(
    ben: ApiClient, row: Transaction, method: str
) -> None:
    verbs = ("view", "change", "delete")
    ben.grant(*(f"transactions.{verb}_transaction" for verb in verbs))

    response = ben.request(method, f"/transactions/{row.pk}", METHODS[method])

    assert response.status_code == 404
    assert unchanged(row)
    assert ben.get("/transactions").json()["results"] == []


def test_staff_without_the_permission_list_their_own(clerk: ApiClient, row: Transaction) -> None:
    assert clerk.user
    own = record(clerk.user)

    assert [each["id"] for each in clerk.get("/transactions").json()["results"]] == [str(own.pk)]
    assert clerk.get("/transactions", user_id=row.user_id).json()["results"] == []


def test_opening_anothers_record_is_logged_and_shows_all(
    staff: ApiClient, row: Transaction
) -> None:
    response = staff.get(f"/transactions/{row.pk}")

    assert response.json()["full_name"] == "Ada Lovelace"
    assert response.json()["description"] == "Punched cards"
    entry = AccessLogEntry.objects.get()
    assert (entry.actor_id, entry.subject_id) == (staff.user_id, row.user_id)
    assert (entry.what, entry.route) == (f"transaction {row.pk}", "api")


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_edit_by_staff_opens_the_record_too(
    staff: ApiClient, row: Transaction, method: str
) -> None:
    response = staff.request(method, f"/transactions/{row.pk}", BODY)

    assert response.json()["full_name"] == "Ada Lovelace"
    logged = AccessLogEntry.objects.filter(actor=staff.user_id, subject=row.user_id)
    whats = logged.order_by("id").values_list("what", flat=True)
    assert [*whats] == [f"change of transaction {row.pk}", f"transaction {row.pk}"]


@pytest.mark.parametrize("method", ["get", "put", "patch"])
def test_staff_who_may_not_open_names_see_them_masked(
    clerk: ApiClient, row: Transaction, method: str
) -> None:
    clerk.grant("transactions.view_transaction", "transactions.change_transaction")

    response = clerk.request(
        method, f"/transactions/{row.pk}", METHODS[method] and {**BODY, "description": "Rent"}
    )

    assert (response.json()["full_name"], response.json()["description"]) == ("A••• L•••", "•••")
    assert not AccessLogEntry.objects.filter(what=f"transaction {row.pk}").exists()


def test_a_put_by_staff_takes_the_owners_defaults(staff: ApiClient, row: Transaction) -> None:
    staff.put(f"/transactions/{row.pk}", BODY)

    present = Transaction.objects.get(pk=row.pk)
    assert (present.user_id, present.full_name) == (row.user_id, "Ada Lovelace")


def test_ones_own_is_never_logged(ada: ApiClient, row: Transaction) -> None:
    for method, body in METHODS.items():
        assert ada.request(method, f"/transactions/{row.pk}", body).status_code in {200, 204}

    assert not AccessLogEntry.objects.exists()


@pytest.mark.parametrize("method", METHODS)
def test_nobody_reaches_anything(anybody: ApiClient, row: Transaction, method: str) -> None:
    response = anybody.request(method, f"/transactions/{row.pk}", METHODS[method])

    assert response.status_code == 401
    assert unchanged(row)
