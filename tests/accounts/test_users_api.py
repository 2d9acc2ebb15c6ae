"""GET /users and /users/{id}: staff only, names masked, each opening logged first."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import SERVICE_GROUP, AccessLogEntry, User
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.key_rings import store

MASKED = ("A••• L•••", "a•••@•••.org")


@pytest.fixture
def clerk(db: None) -> ApiClient:
    """Staff without any permission."""
    return ApiClient(UserFactory.create(username="clerk", is_staff=True))


def names(profile: Any) -> tuple[str, str]:
    return profile["full_name"], profile["email"]


def test_staff_list_everybody_masked(staff: ApiClient, ada: ApiClient, ben: ApiClient) -> None:
    response = staff.get("/users")

    rows = {row["username"]: row for row in response.json()["results"]}
    assert set(rows) == {"ada", "ben", staff.user and staff.user.username}
    assert names(rows["ada"]) == MASKED
    assert names(rows["ben"]) == ("B••• N•••", "b•••@•••.org")
    assert b"Lovelace" not in response.content
    assert not AccessLogEntry.objects.exists()


def test_no_list_or_profile_holds_more_than_it_should(staff: ApiClient, ada: ApiClient) -> None:
    expected = {"id", "username", "email", "full_name", "currency", "is_active", "date_joined"}

    assert all(set(row) == expected for row in staff.get("/users").json()["results"])
    assert set(staff.get(f"/users/{ada.user_id}").json()) == expected


def test_the_list_is_paged_both_ways(staff: ApiClient) -> None:
    UserFactory.create_batch(4)
    everybody = list(User.objects.order_by("id").values_list("id", flat=True))

    first = staff.get("/users", limit=2).json()
    second = staff.get(first["next"]).json()
    third = staff.get(second["next"]).json()
    back = staff.get(second["previous"]).json()

    pages = [[row["id"] for row in page["results"]] for page in (first, second, third, back)]
    assert pages == [everybody[:2], everybody[2:4], everybody[4:], everybody[:2]]
    assert (first["previous"], third["next"]) == (None, None)


def test_a_damaged_name_leaves_the_list_whole(staff: ApiClient, ada: ApiClient) -> None:
    UserFactory.create(username="eve", full_name="Eve Adams")
    store(User.objects.get(pk=ada.user_id), "full_name", b"gAAAAA-not-a-token")

    rows = {row["username"]: row for row in staff.get("/users").json()["results"]}

    assert rows["ada"]["full_name"] is None
    assert rows["eve"]["full_name"] == "E••• A•••"


def test_opening_somebody_is_logged_and_shows_all(staff: ApiClient, ada: ApiClient) -> None:
    response = staff.get(f"/users/{ada.user_id}")

    assert names(response.json()) == ("Ada Lovelace", "ada@example.org")
    entry = AccessLogEntry.objects.get()
    assert (entry.actor_id, entry.subject_id) == (staff.user_id, ada.user_id)
    assert (entry.what, entry.route) == (f"user {ada.user_id}", "api")


def test_what_cannot_be_logged_is_not_shown(staff: ApiClient, ada: ApiClient) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE accounts_accesslogentry ADD CONSTRAINT closed CHECK (false) NOT VALID"
        )

    response = staff.get(f"/users/{ada.user_id}")

    assert response.status_code == 500
    assert b"Lovelace" not in response.content


def test_staff_reading_themselves_are_not_logged(staff: ApiClient) -> None:
    response = staff.get(f"/users/{staff.user_id}")

    assert response.json()["email"] == staff.get("/users/me").json()["email"]
    assert not AccessLogEntry.objects.exists()


def test_staff_without_the_permission_see_it_masked(clerk: ApiClient, ada: ApiClient) -> None:
    clerk.grant("accounts.view_user")

    response = clerk.get(f"/users/{ada.user_id}")

    assert (response.status_code, names(response.json())) == (200, MASKED)
    assert not AccessLogEntry.objects.exists()


def test_staff_with_both_permissions_open_it(clerk: ApiClient, ada: ApiClient) -> None:
    clerk.grant("accounts.view_user", "accounts.view_personal_data")

    response = clerk.get(f"/users/{ada.user_id}")

    assert names(response.json()) == ("Ada Lovelace", "ada@example.org")
    assert AccessLogEntry.objects.filter(actor=clerk.user_id, subject=ada.user_id).count() == 1


def test_staff_who_may_not_view_users_are_like_others(clerk: ApiClient, ada: ApiClient) -> None:
    clerk.grant("accounts.view_personal_data")

    assert clerk.get("/users").status_code == 403
    assert clerk.get(f"/users/{ada.user_id}").status_code == 404


def test_a_permission_without_being_staff_opens_nothing(ada: ApiClient, ben: ApiClient) -> None:
    ada.grant("accounts.view_user", "accounts.view_personal_data")

    assert ada.get("/users").status_code == 403
    assert ada.get(f"/users/{ben.user_id}").status_code == 404


def test_a_service_account_opens_nobody(ada: ApiClient, ben: ApiClient) -> None:
    assert ada.user
    ada.user.groups.add(Group.objects.get(name=SERVICE_GROUP))

    assert ada.get("/users").status_code == 403
    assert ada.get(f"/users/{ben.user_id}").status_code == 404


def test_anothers_profile_answers_as_one_that_is_not_there(ada: ApiClient, ben: ApiClient) -> None:
    there, nowhere = ada.get(f"/users/{ben.user_id}"), ada.get("/users/999999999")

    assert (there.status_code, nowhere.status_code) == (404, 404)
    assert {**there.json(), "instance": ""} == {**nowhere.json(), "instance": ""}
    assert not AccessLogEntry.objects.exists()


def test_a_user_who_is_not_there_is_404_for_staff_too(staff: ApiClient) -> None:
    assert staff.get("/users/999999999").status_code == 404
    assert not AccessLogEntry.objects.exists()


@pytest.mark.parametrize("path", ["/users", "/users/1"])
def test_nobody_sees_nobody(db: None, anybody: ApiClient, path: str) -> None:
    assert anybody.get(path).status_code == 401


def test_the_list_costs_the_same_statements_for_many(staff: ApiClient) -> None:
    with CaptureQueriesContext(connection) as few:
        staff.get("/users")
    UserFactory.create_batch(10)
    with CaptureQueriesContext(connection) as many:
        staff.get("/users")

    assert len(few) == len(many)
