"""Jobs are requested with a write's last step, and not by a write that did not happen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any

import pytest
import redis
from celery import shared_task
from django.db import OperationalError, connection, transaction
from django_redis import get_redis_connection

from accounts.models import User
from fido.lib.cache import jobs, redis_link, versioned_cache
from fido.lib.cache.versioned_cache import write_fence
from tests.factories import UserFactory
from tests.fences import writer_stands
from tests.races import DEADLINE_SECONDS, and_disconnect

pytestmark = pytest.mark.django_db(transaction=True)

ADA = 1


@shared_task(name="tests.count")
def count() -> None:
    pass


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The arguments of each job that reached the queue."""
    sent: list[tuple[int, ...]] = []
    monkeypatch.setattr(count, "apply_async", lambda arguments, **options: sent.append(arguments))
    return sent


def test_of_many_requests_one_is_queued_until_the_job_begins(queued: list[Any]) -> None:
    for _ in range(3):
        jobs.request(count, countdown=0)
    assert queued == [()]

    jobs.begun(count)
    jobs.request(count, countdown=0)
    assert queued == [(), ()]


@pytest.mark.usefixtures("redis_away")
def test_a_job_begins_without_redis(queued: list[Any]) -> None:
    jobs.begun(count)
    jobs.request(count, countdown=0)

    assert queued == []


def test_a_kind_of_job_has_no_more_than_its_places() -> None:
    places = jobs.Places(2)

    with places.one() as first, places.one() as second, places.one() as third:
        assert (first, second, third) == (True, True, False)
    with places.one() as again:
        assert again


def test_work_that_takes_too_long_is_done_by_halves() -> None:
    def work(user_ids: list[int]) -> list[int]:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = '200ms'")
            cursor.execute("SELECT pg_sleep(%s)", [60 if len(user_ids) > 2 else 0])
        return user_ids

    assert jobs.together(work, list(range(8))) == [[0, 1], [2, 3], [4, 5], [6, 7]]


def test_inside_a_fence_it_is_queued_after_the_commit(queued: list[Any]) -> None:
    with write_fence(ADA):
        with transaction.atomic():
            jobs.request(count, countdown=0)
        assert queued == []

    assert queued == [()]


def test_a_write_that_failed_queues_nothing(queued: list[Any]) -> None:
    def write() -> None:
        with write_fence(ADA):
            jobs.request(count, countdown=0)
            raise ValueError("refused")

    with pytest.raises(ValueError, match="refused"):
        write()
    assert queued == []

    jobs.request(count, countdown=0)
    assert queued == [()]


def test_a_script_that_redis_has_forgotten_costs_no_job(queued: list[Any]) -> None:
    get_redis_connection().script_flush()
    jobs.request(count, countdown=0)  # this one is known again, but not the fence's
    jobs.begun(count)

    with write_fence(ADA):
        jobs.request(count, countdown=0)

    assert queued == [(), ()]


def test_an_answer_that_was_lost_costs_no_job(
    queued: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with write_fence(ADA):
        jobs.request(count, countdown=0)
        # The first attempt runs, and its answers are lost.
        sent, run_all = list[Any](), redis_link.run_all

        def lost_once(client: Any, steps: Any) -> Any:
            sent.append(run_all(client, steps))
            if len(sent) == 1:
                raise redis.ConnectionError
            return sent[-1]

        monkeypatch.setattr(versioned_cache, "run_all", lost_once)

    assert len(sent) == 2
    assert queued == [()]


def lock(user_ids: list[int]) -> list[int]:
    rows = User.objects.select_for_update(nowait=True).order_by("pk")
    with transaction.atomic():
        return list(rows.filter(pk__in=user_ids).values_list("pk", flat=True))


@contextmanager
def locked(user_ids: list[int]) -> Iterator[None]:
    """Another connection has locked these users' rows."""
    done = Event()

    def hold() -> None:
        with transaction.atomic():
            list(User.objects.select_for_update().filter(pk__in=user_ids))
            held.set()
            done.wait(DEADLINE_SECONDS)

    held = Event()
    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(and_disconnect, hold)
        assert held.wait(DEADLINE_SECONDS)
        try:
            yield
        finally:
            done.set()
            holding.result()


def test_users_whose_rows_are_locked_delay_nobody_else() -> None:
    users = [UserFactory.create().pk for _ in range(jobs.LOCKED_USERS + 1)]

    with locked(users[: jobs.LOCKED_USERS - 1]):
        assert jobs.together(lock, users) == [[pk] for pk in users[jobs.LOCKED_USERS - 1 :]]


def test_where_everything_is_locked_the_job_does_not_try_each_user() -> None:
    users = [UserFactory.create().pk for _ in range(jobs.LOCKED_USERS + 1)]
    tried: list[list[int]] = []

    def work(user_ids: list[int]) -> list[int]:
        tried.append(user_ids)
        return lock(user_ids)

    with locked(users), pytest.raises(OperationalError, match="could not obtain lock"):
        jobs.together(work, users)

    assert tried == [users, *([pk] for pk in users[: jobs.LOCKED_USERS])]


def test_a_queue_that_fails_in_any_way_leaves_the_write_as_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(count, "apply_async", fail)

    with write_fence(ADA):
        jobs.request(count, countdown=0)

    assert "What was to follow a write has failed." in caplog.text
    assert not writer_stands(ADA)
