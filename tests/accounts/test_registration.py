"""POST /auth/register: valid users and names, and how the password is stored."""

from functools import partial
from typing import Any

import pytest
from django.contrib.auth.hashers import identify_hasher

from accounts.models import LoginSession, User
from fido import settings as production
from fido.lib.values.limits import Rate
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory
from tests.key_rings import stored
from tests.races import at_once

PASSWORD = "correct horse battery"
JANE = {
    "username": "jane",
    "email": "Jane@Example.org",
    "password": PASSWORD,
    "full_name": "Jane Doe",
}

pytestmark = pytest.mark.django_db


def test_registering_answers_the_profile_and_nothing_else(anybody: ApiClient) -> None:
    response = anybody.post("/auth/register", JANE)

    assert response.status_code == 201
    assert response.json() == {
        "id": User.objects.get(username="jane").pk,
        "username": "jane",
        "email": "Jane@Example.org",
        "full_name": "Jane Doe",
    }
    assert not LoginSession.objects.exists()


def test_a_full_name_is_optional(anybody: ApiClient) -> None:
    response = anybody.post("/auth/register", {**JANE, "full_name": None})
    without = {name: JANE[name] for name in ("username", "email", "password")}
    other = anybody.post(
        "/auth/register", without | {"username": "june", "email": "june@example.org"}
    )

    assert (response.status_code, response.json()["full_name"]) == (201, None)
    assert (other.status_code, other.json()["full_name"]) == (201, None)


def test_a_newcomer_has_no_rights(anybody: ApiClient) -> None:
    anybody.post("/auth/register", JANE)

    jane = User.objects.get(username="jane")
    assert (jane.is_active, jane.is_staff, jane.is_superuser) == (True, False, False)
    assert not jane.groups.exists()


@pytest.mark.parametrize(
    "field", ["is_staff", "is_superuser", "is_active", "id", "groups", "session_epoch", "currency"]
)
def test_rights_cannot_be_asked_for(anybody: ApiClient, field: str) -> None:
    response = anybody.post("/auth/register", {**JANE, field: True})

    assert errors_of(response) == [(f"#/{field}", "unknown")]
    assert not User.objects.exists()


@pytest.mark.parametrize("username", ["jane", "JANE", "jAnE"])
def test_a_user_name_is_taken_whatever_its_case(anybody: ApiClient, username: str) -> None:
    UserFactory.create(username="Jane", email="other@example.org")

    response = anybody.post("/auth/register", {**JANE, "username": username})

    assert errors_of(response) == [("#/username", "taken")]
    assert User.objects.count() == 1


@pytest.mark.parametrize("email", ["jane@example.org", "JANE@EXAMPLE.ORG", "Jane@Example.org"])
def test_an_email_is_taken_whatever_its_case(anybody: ApiClient, email: str) -> None:
    UserFactory.create(username="other", email="jane@Example.ORG")

    response = anybody.post("/auth/register", {**JANE, "email": email})

    assert errors_of(response) == [("#/email", "taken")]
    assert User.objects.count() == 1


@pytest.mark.parametrize("password", ["sh0rt!!", "password", "83475928347", "jane@example.org"])
def test_a_weak_password_is_refused(anybody: ApiClient, password: str) -> None:
    response = anybody.post("/auth/register", {**JANE, "password": password})

    assert errors_of(response) == [("#/password", "weak-password")]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "username", ["jane doe", "jane@example.org", "jäne", "ja\nne", "", "j" * 151]
)
def test_a_user_name_is_plain(anybody: ApiClient, username: str) -> None:
    response = anybody.post("/auth/register", {**JANE, "username": username})

    assert {pointer for pointer, _ in errors_of(response)} == {"#/username"}
    assert not User.objects.exists()


def test_a_password_is_kept_as_argon2_alone(anybody: ApiClient) -> None:
    response = anybody.post("/auth/register", JANE)

    kept = User.objects.get(username="jane").password
    assert production.PASSWORD_HASHERS == ["accounts.hashers.Argon2"]
    assert identify_hasher(kept).algorithm == "argon2"
    assert kept.startswith("argon2$argon2id$")
    assert PASSWORD not in kept
    assert PASSWORD not in response.content.decode()


def test_a_password_is_taken_as_typed_with_its_spaces(anybody: ApiClient) -> None:
    anybody.post("/auth/register", {**JANE, "password": f"  {PASSWORD} "})

    trimmed = anybody.post("/auth/login", {"username": "jane", "password": PASSWORD})
    typed = anybody.post("/auth/login", {"username": "jane", "password": f"  {PASSWORD} "})

    assert (trimmed.status_code, typed.status_code) == (401, 200)


def test_names_and_addresses_are_kept_encrypted(anybody: ApiClient) -> None:
    anybody.post("/auth/register", JANE)

    jane = User.objects.get(username="jane")
    for column, value in (("full_name", b"Jane Doe"), ("email", b"Jane@Example.org")):
        token = stored(jane, column)
        assert token
        assert token.startswith(b"gAAAA")
        assert value not in token


def test_registrations_are_counted_by_address(anybody: ApiClient, settings: Any) -> None:
    settings.REGISTRATIONS_PER_ADDRESS = Rate(2, 3600)
    join = partial(anybody.post, "/auth/register")

    answers = [
        join({**JANE, "username": f"jane{n}", "email": f"{n}@example.org"}) for n in range(3)
    ]
    elsewhere = join(JANE, REMOTE_ADDR="10.9.9.9")

    assert [answer.status_code for answer in answers] == [201, 201, 429]
    assert 0 < int(answers[2].headers["Retry-After"]) <= 3600
    assert answers[2].json()["code"] == "throttled"
    assert elsewhere.status_code == 201


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("same", ["username", "email"])
def test_of_eight_who_want_one_name_at_once_one_gets_it(same: str) -> None:
    bodies = [{**JANE, "username": f"jane{n}", "email": f"jane{n}@example.org"} for n in range(8)]
    # Each sends it in a different case, which still counts as the same.
    for n, body in enumerate(bodies):
        body[same] = JANE[same][:n].upper() + JANE[same][n:].lower()

    answers = at_once(*(partial(ApiClient().post, "/auth/register", body) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    refused = [answer for answer in answers if answer.status_code == 400]
    assert all(errors_of(answer) == [(f"#/{same}", "taken")] for answer in refused)
    assert User.objects.count() == 1
