"""POST /auth/register with an Idempotency-Key: retries work without a login too."""

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core.cache import cache

from accounts.models import LoginSession, User
from fido.lib.values.limits import Rate
from fido.models import IdempotencyKey
from tests.client import ApiClient, errors_of
from tests.races import at_once

JANE = {
    "username": "jane",
    "email": "jane@example.org",
    "password": "correct horse battery",
    "full_name": "Jane Doe",
}
TAKEN = [("#/username", "taken")]

pytestmark = pytest.mark.django_db


def register(client: ApiClient, body: Any = JANE, key: str = "sign-up 1", **extra: Any) -> Any:
    return client.post("/auth/register", body, HTTP_IDEMPOTENCY_KEY=key, **extra)


def replayed(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotent-Replayed") == "true")


def test_the_same_again_is_the_first_answer_and_no_second_user(anybody: ApiClient) -> None:
    first, second = register(anybody), register(anybody)

    assert (first.status_code, replayed(first)) == (201, False)
    assert (second.status_code, replayed(second)) == (201, True)
    assert second.content == first.content
    assert IdempotencyKey.objects.get().user_id == User.objects.get().pk == first.json()["id"]
    assert not LoginSession.objects.exists()


def test_without_the_key_the_name_is_taken(anybody: ApiClient) -> None:
    register(anybody)

    assert errors_of(anybody.post("/auth/register", JANE)) == TAKEN
    assert errors_of(register(anybody, key="sign-up 2")) == TAKEN


@pytest.mark.parametrize(
    "change",
    [
        {"password": "another horse battery"},
        {"username": "JANE"},
        {"email": "other@example.org"},
        {"email": "Jane@example.org"},
        {"full_name": "Jane"},
        {"full_name": None},
    ],
    ids=str,
)
def test_another_registration_under_the_key_learns_only_that_the_name_is_taken(
    anybody: ApiClient, change: dict[str, Any]
) -> None:
    register(anybody)

    with_key = register(anybody, JANE | change)
    without = anybody.post("/auth/register", JANE | change)

    assert errors_of(with_key) == TAKEN
    assert with_key.content == without.content
    assert User.objects.count() == 1


def test_another_name_with_a_taken_address_is_refused_for_that(anybody: ApiClient) -> None:
    register(anybody)

    assert errors_of(register(anybody, JANE | {"username": "june"})) == [("#/email", "taken")]
    assert register(anybody, JANE | {"username": "june", "email": "june@example.org"}).json()


def test_a_refused_registration_does_not_use_its_key_up(anybody: ApiClient) -> None:
    assert errors_of(register(anybody, JANE | {"password": "password"}))
    assert not IdempotencyKey.objects.exists()

    assert register(anybody).status_code == 201


def test_who_may_not_log_in_is_told_nothing_by_a_replay(anybody: ApiClient) -> None:
    register(anybody)
    User.objects.update(is_active=False)
    assert errors_of(register(anybody)) == TAKEN
    User.objects.update(is_active=True, password=make_password("changed since, horse"))
    assert errors_of(register(anybody)) == TAKEN


def test_wrong_passwords_count_as_failed_logins(anybody: ApiClient, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(3, 300)
    register(anybody)
    wrong = JANE | {"password": "another horse battery"}

    answers = [register(anybody, wrong).status_code for _ in range(4)]

    assert answers == [400, 400, 400, 429]
    login = {"username": "jane", "password": JANE["password"]}
    assert anybody.post("/auth/login", login).status_code == 429


def test_retries_count_as_registrations(anybody: ApiClient, settings: Any) -> None:
    settings.REGISTRATIONS_PER_ADDRESS = Rate(2, 3600)

    assert [register(anybody).status_code for _ in range(3)] == [201, 201, 429]


def test_nothing_of_the_password_is_in_what_is_kept(anybody: ApiClient) -> None:
    register(anybody)
    answer = IdempotencyKey.objects.get().answer
    User.objects.all().delete()
    cache.clear()

    register(anybody, JANE | {"password": "another horse battery"})

    # Two registrations that differ only in the password are stored without that difference.
    other = IdempotencyKey.objects.get().answer
    assert answer
    assert other
    assert answer.partition('"status"')[0] == other.partition('"status"')[0]


@pytest.mark.django_db(transaction=True)
def test_of_eight_at_once_one_registers_and_all_are_told_the_same() -> None:
    answers = at_once(*(partial(register, ApiClient()) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert [replayed(answer) for answer in answers].count(False) == 1
    assert (User.objects.count(), IdempotencyKey.objects.count()) == (1, 1)
