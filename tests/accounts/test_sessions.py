"""Login sessions: a refresh token is valid once, and a second use ends the family."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jwt
import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from rest_framework_simplejwt.tokens import RefreshToken

from accounts import operations
from accounts.models import LoginSession, User
from fido.lib.values import clock
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.races import and_disconnect, at_once, wait_until, waiting_for_locks

pytestmark = pytest.mark.django_db


def refresh(token: str) -> Any:
    return ApiClient().post("/auth/refresh", {"refresh_token": token})


def first_refresh_token(client: ApiClient) -> str:
    assert client.tokens
    return client.tokens.refresh_token


def claims(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, django_settings.JWT_SIGNING_KEY, ["HS256"])
    return read


def test_refreshing_gives_a_new_pair_that_works(ada: ApiClient) -> None:
    response = refresh(first_refresh_token(ada))

    pair = response.json()
    assert response.status_code == 200
    assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 15 * 60)
    assert pair["refresh_token"] != first_refresh_token(ada)
    assert ApiClient(token=pair["access_token"]).get("/users/me").json()["id"] == ada.user_id
    assert refresh(pair["refresh_token"]).status_code == 200


def test_tokens_live_as_long_as_is_promised(ada: ApiClient) -> None:
    pair = refresh(first_refresh_token(ada)).json()

    access, refreshing = claims(pair["access_token"]), claims(pair["refresh_token"])
    assert access["exp"] - access["iat"] == 15 * 60
    assert refreshing["exp"] - refreshing["iat"] == 7 * 24 * 3600
    # Anyone who holds a JWT can read it.
    assert set(access) == {"token_type", "exp", "iat", "jti", "user_id", "epoch", "sid"}


def test_reuse_of_a_spent_token_ends_the_family(ada: ApiClient) -> None:
    spent = first_refresh_token(ada)
    newest = refresh(refresh(spent).json()["refresh_token"]).json()["refresh_token"]

    reused = refresh(spent)

    assert (reused.status_code, reused.json()["code"]) == (401, "invalid-token")
    assert refresh(newest).status_code == 401
    assert not LoginSession.objects.exists()


def test_reuse_ends_no_other_session(ada: ApiClient) -> None:
    assert ada.user
    phone = ApiClient(ada.user)
    refresh(first_refresh_token(ada))

    refresh(first_refresh_token(ada))

    assert refresh(first_refresh_token(phone)).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_of_twenty_refreshes_at_once_one_succeeds_and_the_family_is_dead(ada: ApiClient) -> None:
    attempt = partial(refresh, first_refresh_token(ada))

    answers = at_once(*[attempt] * 20)

    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 19
    (won,) = (answer.json() for answer in answers if answer.status_code == 200)
    assert refresh(won["refresh_token"]).status_code == 401
    assert not LoginSession.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_second_use_waits_for_the_first_which_succeeds(ada: ApiClient) -> None:
    use = partial(refresh, first_refresh_token(ada))

    with ThreadPoolExecutor() as threads, transaction.atomic():
        with connection.cursor() as cursor:
            # The first has spent the token before it reads the user, and waits there.
            cursor.execute("LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE")
        first = threads.submit(and_disconnect, use)
        wait_until(lambda: waiting_for_locks() == 1)
        second = threads.submit(and_disconnect, use)
        wait_until(lambda: second.done() or waiting_for_locks() == 2)

    assert (first.result().status_code, second.result().status_code) == (200, 401)
    assert not LoginSession.objects.exists()


def test_an_inactive_user_cannot_refresh(ada: ApiClient) -> None:
    # Bypasses the operation, which also ends the sessions.
    User.objects.filter(pk=ada.user_id).update(is_active=False)

    assert refresh(first_refresh_token(ada)).status_code == 401
    assert not LoginSession.objects.exists()


def test_an_expired_refresh_token_is_refused(ada: ApiClient) -> None:
    token = RefreshToken(first_refresh_token(ada))  # type: ignore[arg-type]
    token.set_exp(from_time=clock.now(), lifetime=-clock.ONE_DAY)

    assert refresh(str(token)).status_code == 401
    assert refresh(first_refresh_token(ada)).status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(-20, 200), (20, 200), (-40, 401), (40, 401)])
def test_another_machines_clock_may_differ_by_half_a_minute(
    ada: ApiClient, seconds: int, status: int
) -> None:
    """Issued so many seconds from now, or ended so many seconds ago."""
    assert ada.tokens
    token = claims(ada.tokens.access_token)
    now = int(clock.now().timestamp())
    token |= {"iat": now + seconds} if seconds > 0 else {"exp": now + seconds}
    signed = jwt.encode(token, django_settings.JWT_SIGNING_KEY, "HS256")

    for _ in range(2):  # also from the process's memory
        assert ApiClient(token=signed).get("/users/me").status_code == status


def test_an_access_token_does_not_refresh_and_a_refresh_token_opens_nothing(ada: ApiClient) -> None:
    assert ada.tokens

    assert refresh(ada.tokens.access_token).status_code == 401
    assert ApiClient(token=first_refresh_token(ada)).get("/users/me").status_code == 401
    assert refresh(first_refresh_token(ada)).status_code == 200


def test_a_token_of_another_epoch_is_refused(ada: ApiClient) -> None:
    assert ada.user
    operations.end_sessions(user=ada.user)

    response = ada.get("/users/me")

    assert (response.status_code, response.json()["code"]) == (401, "invalid-token")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


def test_logging_out_ends_the_session_and_no_other(ada: ApiClient) -> None:
    assert ada.user
    phone = ApiClient(ada.user)

    response = ApiClient().post("/auth/logout", {"refresh_token": first_refresh_token(ada)})

    assert (response.status_code, response.content) == (204, b"")
    assert refresh(first_refresh_token(ada)).status_code == 401
    assert refresh(first_refresh_token(phone)).status_code == 200


def test_logging_out_with_a_spent_token_ends_the_session_too(ada: ApiClient) -> None:
    newest = refresh(first_refresh_token(ada)).json()["refresh_token"]

    ApiClient().post("/auth/logout", {"refresh_token": first_refresh_token(ada)})

    assert refresh(newest).status_code == 401


@pytest.mark.parametrize("token", ["nonsense", "a.b.c"])
def test_logging_out_of_no_session_is_no_error(db: None, anybody: ApiClient, token: str) -> None:
    assert anybody.post("/auth/logout", {"refresh_token": token}).status_code == 204


def test_logging_out_twice_is_no_error(ada: ApiClient) -> None:
    body = {"refresh_token": first_refresh_token(ada)}

    answers = [ApiClient().post("/auth/logout", body).status_code for _ in range(2)]

    assert answers == [204, 204]


def test_deactivating_ends_access_and_refresh_at_once(ada: ApiClient) -> None:
    assert ada.user
    operations.set_active(user=ada.user, active=False)

    assert ada.get("/users/me").status_code == 401
    assert refresh(first_refresh_token(ada)).status_code == 401


def test_being_let_in_again_revives_no_old_token(ada: ApiClient) -> None:
    assert ada.user
    operations.set_active(user=ada.user, active=False)
    operations.set_active(user=ada.user, active=True)

    assert ada.get("/users/me").status_code == 401
    assert refresh(first_refresh_token(ada)).status_code == 401
    assert ApiClient(ada.user).get("/users/me").status_code == 200


def test_a_deleted_users_token_opens_nothing(ada: ApiClient) -> None:
    User.objects.filter(pk=ada.user_id).delete()

    assert ada.get("/users/me").status_code == 401
    assert refresh(first_refresh_token(ada)).status_code == 401


def test_purging_forgets_the_expired_sessions_alone(ada: ApiClient) -> None:
    expired = LoginSession.objects.create(
        user=UserFactory.create(), token_id="f" * 32, expires_at=clock.now() - clock.ONE_DAY
    )

    assert operations.purge_sessions() == 1

    assert not LoginSession.objects.filter(pk=expired.pk).exists()
    assert refresh(first_refresh_token(ada)).status_code == 200


def test_no_token_is_kept_in_the_database(ada: ApiClient) -> None:
    session = LoginSession.objects.get()

    assert session.token_id == claims(first_refresh_token(ada))["jti"]
    assert first_refresh_token(ada) not in str(vars(session))
