"""One Idempotency-Key, several concurrent requests: one does the work, the others wait."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.db import connection, transaction

from accounts.models import User
from fido.lib.api import idempotency
from fido.lib.cache import versioned_cache
from fido.models import IdempotencyKey
from tests.client import ApiClient
from tests.fences import Step, steps, writer_stands
from tests.movements import assert_exact
from tests.races import at_once, overtaken
from tests.transactions.test_retries import BODY, counts, post, replayed
from transactions import operations
from transactions.models import Transaction

__all__ = ["steps"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)

# Recorded in one statement with the key, and in a transaction of several.
IN_STEPS = BODY | {"external_id": "inv/1"}
both_ways = pytest.mark.parametrize("body", [BODY, IN_STEPS], ids=["at once", "in steps"])


@both_ways
def test_of_fifty_at_once_one_is_recorded(ada: ApiClient, body: Any) -> None:
    answers = at_once(*[partial(post, ada, body)] * 50)

    done = [answer for answer in answers if answer.status_code == 201]
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in done}) == 1
    assert [replayed(answer) for answer in done].count(False) == 1
    busy = [answer for answer in answers if answer.status_code == 409]
    assert {answer.json()["code"] for answer in busy} <= {"idempotency-key-in-flight"}
    assert counts() == (1, 1, 1)
    assert_exact(User.objects.get(pk=ada.user_id))


def test_of_two_bodies_at_once_one_is_recorded_and_the_other_refused(ada: ApiClient) -> None:
    for n in range(20):
        bodies = (BODY, BODY | {"description": "Tea"})
        answers = at_once(*(partial(post, ada, body, f"key {n}") for body in bodies))

        assert sorted(answer.status_code for answer in answers) == [201, 422]
        assert counts()[0] == n + 1


@contextmanager
def key_being_used(client: ApiClient, body: Any = BODY) -> Iterator[None]:
    """A first request that has recorded, but not committed."""
    with transaction.atomic():
        assert post(client, body).status_code == 201
        yield


@both_ways
def test_a_second_one_that_waits_too_long_is_told_to_come_back(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch, body: Any
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 50)
    with key_being_used(ada, body):
        (answer,) = at_once(partial(post, ada, body))

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency-key-in-flight")
    assert answer.headers["Retry-After"] == "1"
    assert replayed(post(ada, body))
    assert counts() == (1, 1, 1)


@both_ways
def test_a_second_one_waits_for_the_first_and_has_its_answer(ada: ApiClient, body: Any) -> None:
    late = overtaken(call=partial(post, ada, body), by=partial(post, ada, body))

    assert (late.status_code, replayed(late)) == (201, True)
    assert counts() == (1, 1, 1)


@both_ways
def test_when_the_first_one_fails_the_second_does_the_work(ada: ApiClient, body: Any) -> None:
    send = partial(post, ada, body)
    late = overtaken(call=send, by=send, in_vain=True)

    assert (late.status_code, replayed(late)) == (201, False)
    assert Transaction.objects.get().pk == UUID(late.json()["id"])
    assert counts() == (1, 1, 1)


def test_only_the_claim_is_bounded_so_tightly(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 50)
    seen: list[str] = []
    record = operations.record

    def watched(**arguments: Any) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SHOW lock_timeout")
            seen.append(cursor.fetchone()[0])
        return record(**arguments)

    monkeypatch.setattr(operations, "record", watched)

    assert post(ada, IN_STEPS).status_code == 201
    assert seen == [f"{settings.LOCK_TIMEOUT_SECONDS}s"]


def test_nor_is_anything_after_the_one_statement(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 50)
    assert post(ada, BODY).status_code == 201

    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == (f"{settings.LOCK_TIMEOUT_SECONDS}s",)


def test_the_fence_of_the_owner_is_around_the_commit(
    staff: ApiClient, ada: ApiClient, steps: list[Step]
) -> None:
    assert post(staff, BODY | {"user_id": ada.user_id}).status_code == 201

    assert steps == [("enter", ada.user_id, False), ("leave", ada.user_id, False)]
    assert not writer_stands(ada.user_id)


def test_a_refused_post_leaves_no_writer_standing(ada: ApiClient) -> None:
    post(ada, BODY | {"external_id": "inv/1"}, key="one")
    ada.get("/analytics")

    assert post(ada, BODY | {"external_id": "inv/1"}, key="two").status_code == 409

    assert not writer_stands(ada.user_id)
    assert [ada.get("/analytics").headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]


def test_a_request_in_flight_leaves_no_writer_standing(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_MILLISECONDS", 50)
    digest = idempotency._digest("order 1")
    with transaction.atomic():
        IdempotencyKey.objects.create(user_id=ada.user_id, key_digest=digest)
        (answer,) = at_once(partial(post, ada))

    assert answer.status_code == 409
    assert not writer_stands(ada.user_id)


def test_what_a_replay_acknowledges_is_in_the_next_read(
    staff: ApiClient, ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = BODY | {"user_id": ada.user_id}
    assert [ada.get("/analytics").headers["X-Cache"] for _ in range(2)] == ["miss", "hit"]
    with monkeypatch.context() as dying:
        # Redis was unreachable when the write began, and its process died after the commit.
        dying.setattr(versioned_cache, "_enter", lambda *_: None)
        dying.setattr(versioned_cache, "_leave", raises(SystemExit))
        with pytest.raises(SystemExit):
            post(staff, body)
    assert counts() == (1, 1, 1)

    assert replayed(post(staff, body))
    assert ada.get("/analytics").json()["total_transactions"] == 1


def raises(error: type[BaseException]) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail
