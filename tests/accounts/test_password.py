"""POST /users/me/password: a new password, and the sessions that it ends at once."""

from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings

from accounts import operations
from accounts.models import LoginSession, User
from tests.client import ApiClient, errors_of
from tests.factories import PASSWORD
from tests.races import overtaken
from tests.staff import Desk

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


@pytest.mark.django_db(transaction=True)
def test_whoever_is_put_out_meanwhile_sets_no_password_any_more(ada: ApiClient) -> None:
    by_staff = "set by the staff here"

    response = overtaken(
        call=lambda: ada.post("/users/me/password", CHANGE),
        by=lambda: operations.set_password(
            user=User.objects.get(pk=ada.user_id), password=by_staff
        ),
    )

    assert (response.status_code, response.json()["code"]) == (401, "invalid-token")
    assert [logs_in_with(p) for p in (by_staff, NEW_PASSWORD, PASSWORD)] == [200, 401, 401]


@pytest.mark.django_db(transaction=True)
def test_whoever_is_deactivated_meanwhile_sets_no_password_any_more(ada: ApiClient) -> None:
    response = overtaken(
        call=lambda: ada.post("/users/me/password", CHANGE),
        by=lambda: operations.set_active(user=User.objects.get(pk=ada.user_id), active=False),
    )

    assert (response.status_code, response.json()["code"]) == (401, "invalid-token")
    operations.set_active(user=User.objects.get(pk=ada.user_id), active=True)
    assert (logs_in_with(NEW_PASSWORD), logs_in_with(PASSWORD)) == (401, 200)


def test_the_end_of_all_sessions_ends_the_login_in_the_admin_too(staff: ApiClient) -> None:
    assert staff.user
    desk = Desk(staff.user)
    assert desk.get("").status_code == 200

    operations.end_sessions(user=User.objects.get(pk=staff.user_id))

    response = desk.get("")
    assert response.status_code == 302
    assert response.headers["Location"].startswith("/admin/login/")
