"""GET and PATCH /users/me: what users may read and change in their own profile."""

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import AccessLogEntry, User
from tests.client import ApiClient, errors_of
from tests.factories import PASSWORD, UserFactory
from tests.key_rings import store, stored
from tests.races import at_once, overtaken

DAMAGED = b"gAAAAA-not-a-token"

pytestmark = pytest.mark.django_db


def logs_in_as(name: str) -> int:
    body = {"username": name, "password": PASSWORD}
    status: int = ApiClient().post("/auth/login", body).status_code
    return status


def user_of(client: ApiClient) -> User:
    return User.objects.get(pk=client.user_id)


def test_the_own_profile_is_in_clear_and_not_logged(ada: ApiClient) -> None:
    response = ada.get("/users/me")

    assert response.status_code == 200
    profile = response.json()
    assert profile.pop("date_joined").endswith("Z")
    assert profile == {
        "id": ada.user_id,
        "username": "ada",
        "email": "ada@example.org",
        "full_name": "Ada Lovelace",
        "currency": "USD",
        "is_active": True,
    }
    assert ada.get(f"/users/{ada.user_id}").json()["full_name"] == "Ada Lovelace"
    assert not AccessLogEntry.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("full_name", "Ada King"),
        ("full_name", None),
        ("email", "Ada@King.org"),
        ("currency", "JPY"),
    ],
)
def test_a_change_is_answered_and_kept(ada: ApiClient, field: str, value: str | None) -> None:
    before = ada.get("/users/me").json()

    response = ada.patch("/users/me", {field: value})

    assert (response.status_code, response.json()) == (200, before | {field: value})
    assert ada.get("/users/me").json() == before | {field: value}


def test_an_empty_change_changes_nothing(ada: ApiClient) -> None:
    before = ada.get("/users/me").json()

    assert ada.patch("/users/me", {}).json() == before


@pytest.mark.parametrize(
    "field",
    ["id", "username", "password", "is_active", "is_staff", "is_superuser", "groups", "date_joined",
     "user_permissions", "session_epoch", "email_index", "full_name_index", "last_login"],
)  # fmt: skip
def test_rights_and_the_rest_cannot_be_written(ada: ApiClient, field: str) -> None:
    before = User.objects.filter(pk=ada.user_id).values().get()

    response = ada.patch("/users/me", {"full_name": "Ada King", field: True})

    assert errors_of(response) == [(f"#/{field}", "unknown")]
    assert User.objects.filter(pk=ada.user_id).values().get() == before


def test_a_new_email_logs_in_and_the_old_does_not(ada: ApiClient) -> None:
    ada.patch("/users/me", {"email": "Countess@Example.org"})

    assert logs_in_as("countess@example.org") == 200
    assert logs_in_as("ada@example.org") == 401


def test_a_freed_email_can_be_taken_and_a_new_one_not(ada: ApiClient, ben: ApiClient) -> None:
    ada.patch("/users/me", {"email": "countess@example.org"})

    refused = ben.patch("/users/me", {"email": "COUNTESS@example.org"})
    taken = ben.patch("/users/me", {"email": "ada@example.org"})

    assert errors_of(refused) == [("#/email", "taken")]
    assert (taken.status_code, user_of(ben).email) == (200, "ada@example.org")


def test_the_own_email_can_change_its_case(ada: ApiClient) -> None:
    response = ada.patch("/users/me", {"email": "ADA@example.org"})

    assert (response.status_code, user_of(ada).email) == (200, "ADA@example.org")


@pytest.mark.parametrize("email", [None, "", "nonsense", "a@b@example.org"])
def test_an_email_can_be_replaced_but_not_removed(ada: ApiClient, email: str | None) -> None:
    response = ada.patch("/users/me", {"email": email})

    assert [pointer for pointer, _ in errors_of(response)] == ["#/email"]
    assert logs_in_as("ada@example.org") == 200


@pytest.mark.parametrize(
    ("damaged", "change"),
    [
        ("full_name", {"email": "new@example.org"}),
        ("full_name", {"currency": "EUR"}),
        ("email", {"full_name": "Ada King"}),
    ],
)
def test_a_damaged_token_that_is_not_named_stays_as_it_is(
    ada: ApiClient, damaged: str, change: dict[str, str]
) -> None:
    index_before = stored(user_of(ada), f"{damaged}_index")
    store(user_of(ada), damaged, DAMAGED)

    response = ada.patch("/users/me", change)

    assert (response.status_code, response.json()[damaged]) == (200, None)
    assert stored(user_of(ada), damaged) == DAMAGED
    assert stored(user_of(ada), f"{damaged}_index") == index_before


def test_a_damaged_name_is_null_and_an_error_in_the_log(
    ada: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    store(user_of(ada), "full_name", DAMAGED)

    response = ada.get("/users/me")

    assert (response.status_code, response.json()["full_name"]) == (200, None)
    errors = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert errors
    assert set(errors) == {"A token in accounts.User.full_name fits no key."}


@pytest.mark.django_db(transaction=True)
def test_two_changes_of_different_fields_at_once_both_survive(ada: ApiClient) -> None:
    late = overtaken(
        call=partial(ada.patch, "/users/me", {"full_name": "Ada King"}),
        by=lambda: User.objects.filter(pk=ada.user_id).update(currency="JPY"),
    )

    assert late.status_code == 200
    assert (user_of(ada).full_name, user_of(ada).currency) == ("Ada King", "JPY")


@pytest.mark.django_db(transaction=True)
def test_of_eight_who_change_to_one_email_at_once_one_gets_it() -> None:
    clients = [ApiClient(user) for user in UserFactory.create_batch(8)]
    patches: list[Any] = [
        partial(client.patch, "/users/me", {"email": "one@example.org"}) for client in clients
    ]

    answers = at_once(*patches)

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
    assert sum(user.email == "one@example.org" for user in User.objects.all()) == 1


def test_a_service_account_changes_itself_like_anyone(ada: ApiClient) -> None:
    user_of(ada).groups.add(Group.objects.get(name="service"))

    assert ada.patch("/users/me", {"full_name": "A System"}).status_code == 200


@pytest.mark.parametrize("method", ["get", "patch"])
def test_nobody_has_no_profile(anybody: ApiClient, method: str) -> None:
    assert anybody.request(method, "/users/me").status_code == 401
