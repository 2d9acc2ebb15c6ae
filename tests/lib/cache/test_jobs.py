"""Jobs are requested with a write's last step, and not by a write that did not happen."""

from typing import Any

import pytest
from celery import shared_task
from django.db import transaction

from fido.lib.cache import jobs
from fido.lib.cache.versioned_cache import write_fence

pytestmark = pytest.mark.django_db(transaction=True)

ADA = 1


@shared_task(name="tests.count")
def count(user_id: int | None = None) -> None:
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
        jobs.request(count, ADA, countdown=0)
    assert queued == [(), (ADA,)]

    jobs.begun(count)
    jobs.request(count, countdown=0)
    jobs.request(count, ADA, countdown=0)
    assert queued == [(), (ADA,), ()]


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
