"""POST /auth/login: accepted names, one answer for every failure, and the rate limits."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from accounts import operations
from accounts.models import LoginSession, User
from fido.lib.values.limits import Rate
from tests.client import ApiClient
from tests.factories import PASSWORD, UserFactory
from tests.passwords import QuickArgon2
from tests.races import and_disconnect, at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="Jane", email="Jane.Doe@Example.org")


def log_in(name: str, password: str = PASSWORD, address: str = "10.0.0.1") -> Any:
    body = {"username": name, "password": password}
    return ApiClient().post("/auth/login", body, REMOTE_ADDR=address)


@pytest.mark.parametrize(
    "name", ["Jane", "jane", "JANE", "Jane.Doe@Example.org", "jane.doe@EXAMPLE.ORG", " jane "]
)
def test_login_takes_the_user_name_or_the_email_in_any_case(jane: User, name: str) -> None:
    response = log_in(name)

    assert response.status_code == 200
    assert set(response.json()) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (response.json()["token_type"], response.json()["expires_in"]) == ("Bearer", 15 * 60)
    assert response.headers["Cache-Control"] == "no-store"
    me = ApiClient(token=response.json()["access_token"]).get("/users/me")
    assert me.json()["id"] == jane.pk


def failures(jane: User) -> dict[str, tuple[str, str]]:
    UserFactory.create(username="gone", email="gone@example.org", is_active=False)
    customer = UserFactory.create(username="customer", email="customer@example.org")
    customer.set_unusable_password()
    customer.save()
    return {
        "wrong": ("jane", "not her password"),
        "wrong, by e-mail": ("jane.doe@example.org", "not her password"),
        "unknown": ("nobody", PASSWORD),
        "unknown e-mail": ("nobody@example.org", PASSWORD),
        "inactive": ("gone", PASSWORD),
        "inactive and wrong": ("gone", "not the password"),
        "has no password": ("customer", PASSWORD),
    }


def test_every_failure_gives_one_and_the_same_answer(jane: User) -> None:
    answers = [log_in(*attempt) for attempt in failures(jane).values()]

    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.content for answer in answers}) == 1
    assert answers[0].json()["code"] == "invalid-credentials"
    headers = [{**answer.headers, "X-Request-ID": ""} for answer in answers]
    assert all(each == headers[0] for each in headers)
    assert not LoginSession.objects.exists()


def test_every_failure_takes_the_same_work(jane: User) -> None:
    attempts = failures(jane)
    log_in("nobody", PASSWORD)  # a process makes its hash for unknown users once

    work = {}
    for kind, attempt in attempts.items():
        before = QuickArgon2.computed
        with CaptureQueriesContext(connection) as queries:
            log_in(*attempt)
        work[kind] = (QuickArgon2.computed - before, len(queries))

    assert work == dict.fromkeys(attempts, (1, 1))


def test_a_name_that_failed_too_often_has_to_wait(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(3, 300)

    failed = [log_in(name, "wrong") for name in ("jane", "JANE", "Jane")]
    refused = log_in("jane", address="10.0.0.2")

    assert [answer.status_code for answer in failed] == [401] * 3
    assert (refused.status_code, refused.json()["code"]) == (429, "throttled")
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    assert not LoginSession.objects.exists()


def test_a_name_is_counted_alike_whether_it_exists(settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(2, 300)

    answers = [log_in("nobody", "wrong").status_code for _ in range(3)]

    assert answers == [401, 401, 429]


def test_each_way_to_write_an_address_has_the_same_count(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(2, 300)
    ways = ["jane.doe@example.org", "JANE.doe@example.org", "ｊane.doe@example.org"]

    answers = [log_in(way, "wrong").status_code for way in ways]

    assert answers == [401, 401, 429]


def test_an_address_that_failed_too_often_has_to_wait(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = Rate(3, 300)

    failed = [log_in(f"guess{n}") for n in range(3)]
    refused = log_in("jane")
    elsewhere = log_in("jane", address="10.0.0.2")

    assert [answer.status_code for answer in failed] == [401] * 3
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    assert elsewhere.status_code == 200


def test_only_failures_count(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = settings.LOGIN_FAILURES_PER_ADDRESS = Rate(2, 300)

    successes = [log_in("jane").status_code for _ in range(5)]
    failed = [log_in("jane", "wrong").status_code for _ in range(2)]

    assert (successes, failed) == ([200] * 5, [401] * 2)
    assert log_in("jane").status_code == 429


def test_a_malformed_login_counts_as_no_failure(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(1, 300)

    malformed = ApiClient().post("/auth/login", {"username": "jane"})

    assert malformed.status_code == 400
    assert log_in("jane").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_login_that_the_database_did_not_answer_counts_as_no_failure(
    jane: User, settings: Any
) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(1, 300)

    def impatient() -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '50ms'")
        return log_in("jane")

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE")
        answer = pool.submit(and_disconnect, impatient).result()

    assert answer.status_code == 503
    assert log_in("jane").status_code == 200


def test_an_address_that_has_to_wait_cannot_lock_a_name(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = Rate(1, 300)
    settings.LOGIN_FAILURES_PER_NAME = Rate(3, 300)

    storm = [log_in("jane", "wrong", address="10.6.6.6").status_code for _ in range(5)]

    assert storm == [401] + [429] * 4
    assert log_in("jane").status_code == 200


def test_a_name_that_has_to_wait_cannot_lock_an_address(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(1, 300)
    settings.LOGIN_FAILURES_PER_ADDRESS = Rate(3, 300)
    UserFactory.create(username="june")

    storm = [log_in("jane", "wrong").status_code for _ in range(5)]

    assert storm == [401] + [429] * 4
    assert log_in("june").status_code == 200


def test_the_wait_ends_with_the_window(jane: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(1, 300)
    log_in("jane", "wrong")
    assert log_in("jane").status_code == 429

    # What time would do: Redis deletes the counter when its window ends.
    redis = get_redis_connection()
    keys = redis.keys("fido:throttle:*")
    assert all(0 < redis.ttl(key) <= 300 for key in keys)
    redis.delete(*keys)

    assert log_in("jane").status_code == 200


def test_redis_learns_no_name_that_somebody_tried(jane: User) -> None:
    log_in("Jane.Doe@Example.org", "wrong")

    keys = b" ".join(get_redis_connection().keys("*")).lower()
    assert b"fido:throttle" in keys
    assert b"jane" not in keys


@pytest.mark.django_db(transaction=True)
def test_of_fifty_wrong_logins_at_once_no_more_than_the_limit_are_tried(
    jane: User, settings: Any
) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(10, 300)
    before = QuickArgon2.computed

    answers = at_once(*(partial(log_in, "jane", f"guess {n}") for n in range(50)))

    assert sorted(answer.status_code for answer in answers) == [401] * 10 + [429] * 40
    assert QuickArgon2.computed - before <= 10


@pytest.fixture
def silent_server() -> Iterator[int]:
    """The port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("silent", [False, True], ids=["refusing", "silent"])
def test_login_works_while_redis_is_away(
    jane: User, settings: Any, silent_server: int, silent: bool
) -> None:
    port = silent_server if silent else 1
    away = settings.CACHES["default"] | {"LOCATION": f"redis://127.0.0.1:{port}/0"}
    settings.CACHES = {"default": away}

    assert log_in("jane").status_code == 200
    assert log_in("jane", "wrong").status_code == 401


class OvertakenArgon2(QuickArgon2):
    """While it compares, staff set another password for Jane."""

    def verify(self, password: str, encoded: str) -> bool:
        matches = super().verify(password, encoded)
        operations.set_password(user=User.objects.get(username="Jane"), password="another one 123")
        return matches


def test_a_login_that_a_password_change_overtakes_is_refused(jane: User, settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["tests.accounts.test_login.OvertakenArgon2"]

    response = log_in("jane")

    assert response.status_code == 401
    assert not LoginSession.objects.exists()
