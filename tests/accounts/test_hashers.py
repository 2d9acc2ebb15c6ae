"""What a password costs to hash, and that hashing cannot occupy the service."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.db import connection
from django.test import Client

from accounts import hashers
from accounts.models import User
from tests.client import ApiClient
from tests.factories import PASSWORD
from tests.gauges import counted
from tests.passwords import QuickArgon2

JANE = {"username": "jane", "email": "jane@example.org", "password": PASSWORD}


def test_the_parameters_are_owasps() -> None:
    encoded = hashers.Argon2().encode(PASSWORD, "saltsalt")

    assert encoded.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.fixture
def _all_taken(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(hashers, "PATIENCE_SECONDS", 0.01)
    for _ in range(hashers.AT_ONCE):
        hashers._free.acquire()
    yield
    for _ in range(hashers.AT_ONCE):
        hashers._free.release()


@pytest.mark.django_db
@pytest.mark.usefixtures("_all_taken")
@pytest.mark.parametrize("path", ["/auth/login", "/auth/register"])
def test_beyond_so_many_at_once_the_answer_is_503(anybody: ApiClient, path: str) -> None:
    body = JANE if path == "/auth/register" else {"username": "jane", "password": PASSWORD}
    answer = anybody.post(path, body)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json()["code"] == "overloaded"
    assert not User.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("_all_taken")
def test_the_admins_login_is_a_503_too(client: Client) -> None:
    before = counted("overloaded", wait="password") or 0

    answer = client.post("/admin/login/", {"username": "jane", "password": PASSWORD})

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert counted("overloaded", wait="password") == before + 1


class WatchedArgon2(QuickArgon2):
    """Records whether one runs in a transaction."""

    in_transactions = False

    def encode(self, *args: Any, **kwargs: Any) -> str:
        type(self).in_transactions |= connection.in_atomic_block
        return super().encode(*args, **kwargs)

    def verify(self, *args: Any, **kwargs: Any) -> bool:
        type(self).in_transactions |= connection.in_atomic_block
        return super().verify(*args, **kwargs)


@pytest.mark.django_db(transaction=True)
def test_no_transaction_is_open_meanwhile(anybody: ApiClient, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.accounts.test_hashers.WatchedArgon2"]
    before = WatchedArgon2.computed
    for _ in range(2):
        answer = anybody.post("/auth/register", JANE, HTTP_IDEMPOTENCY_KEY="sign-up 1")
        assert answer.status_code == 201
    assert (
        anybody.post("/auth/login", {"username": "jane", "password": PASSWORD}).status_code == 200
    )

    assert WatchedArgon2.computed - before >= 3
    assert not WatchedArgon2.in_transactions


@pytest.mark.django_db
def test_a_login_replaces_a_hash_with_other_parameters(anybody: ApiClient) -> None:
    user = User.objects.create_user("jane", "jane@example.org", PASSWORD)
    User.objects.update(password=Argon2PasswordHasher().encode(PASSWORD, "saltsalt"))
    for _ in range(2):
        login = {"username": "jane", "password": PASSWORD}
        assert anybody.post("/auth/login", login).status_code == 200
        user.refresh_from_db()
        assert user.password.startswith("argon2$argon2id$v=19$m=8,t=1,p=1$")
    wrong = anybody.post("/auth/login", {"username": "jane", "password": f"{PASSWORD}x"})

    assert wrong.status_code == 401


class ChangedMeanwhile(QuickArgon2):
    """Another command sets another hash while this one is checked."""

    def verify(self, *args: Any, **kwargs: Any) -> bool:
        matches = super().verify(*args, **kwargs)
        User.objects.update(password="another hash")
        return matches


@pytest.mark.django_db
def test_a_login_writes_no_hash_that_need_not_be_renewed(anybody: ApiClient, settings: Any) -> None:
    User.objects.create_user("jane", "jane@example.org", PASSWORD)
    settings.PASSWORD_HASHERS = ["tests.accounts.test_hashers.ChangedMeanwhile"]

    anybody.post("/auth/login", {"username": "jane", "password": PASSWORD})

    assert User.objects.get().password == "another hash"
