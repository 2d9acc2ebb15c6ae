"""POST /users/me/password: a new password, and what it ends at once."""

from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings

from accounts import operations
from accounts.models import LoginSession, User
from tests.client import ApiClient, errors_of
from tests.factories import PASSWORD

NEW_PASSWORD = "staple battery horse"
CHANGE = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}


def refresh(client: ApiClient) -> Any:
    assert client.tokens
    return ApiClient().post("/auth/refresh", {"refresh_token": client.tokens.refresh_token})


def logs_in_with(password: str) -> int:
    body = {"username": "ada", "password": password}
    status: int = ApiClient().post("/auth/login", body).status_code
    return status


def test_the_new_password_replaces_the_old(ada: ApiClient) -> None:
    response = ada.post("/users/me/password", CHANGE)

    assert (response.status_code, response.content) == (204, b"")
    assert (logs_in_with(PASSWORD), logs_in_with(NEW_PASSWORD)) == (401, 200)


def test_every_access_token_dies_at_once_also_the_one_that_asked(ada: ApiClient) -> None:
    assert ada.user
    phone = ApiClient(ada.user)

    ada.post("/users/me/password", CHANGE)

    assert ada.get("/users/me").status_code == 401
    assert phone.get("/users/me").status_code == 401


def test_every_other_session_ends_and_the_own_goes_on(ada: ApiClient) -> None:
    assert ada.user
    phone = ApiClient(ada.user)

    ada.post("/users/me/password", CHANGE)

    assert refresh(phone).status_code == 401
    own = refresh(ada)
    assert own.status_code == 200
    claims = jwt.decode(own.json()["access_token"], django_settings.JWT_SIGNING_KEY, ["HS256"])
    assert claims["epoch"] == User.objects.get(pk=ada.user_id).session_epoch.hex
    assert ApiClient(token=own.json()["access_token"]).get("/users/me").status_code == 200


def test_others_are_not_logged_out(ada: ApiClient, ben: ApiClient) -> None:
    ada.post("/users/me/password", CHANGE)

    assert ben.get("/users/me").status_code == 200
    assert refresh(ben).status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"current_password": "not mine"}, ("#/current_password", "wrong-password")),
        ({"new_password": "password"}, ("#/new_password", "weak-password")),
        ({"new_password": "ada@example.org"}, ("#/new_password", "weak-password")),
        ({"new_password": ""}, ("#/new_password", "blank")),
    ],
)
def test_a_refused_change_changes_nothing(
    ada: ApiClient, change: dict[str, str], error: tuple[str, str]
) -> None:
    response = ada.post("/users/me/password", CHANGE | change)

    assert errors_of(response) == [error]
    assert ada.get("/users/me").status_code == 200
    assert logs_in_with(PASSWORD) == 200
    assert LoginSession.objects.count() == 2


def test_a_password_set_by_staff_ends_every_session(ada: ApiClient) -> None:
    assert ada.user

    operations.set_password(user=ada.user, password=NEW_PASSWORD)

    assert ada.get("/users/me").status_code == 401
    assert refresh(ada).status_code == 401
    assert logs_in_with(NEW_PASSWORD) == 200


def test_nobody_changes_a_password_without_logging_in(db: None, anybody: ApiClient) -> None:
    assert anybody.post("/users/me/password", CHANGE).status_code == 401
