"""Totals stay exact while everything that can go wrong with folding goes wrong."""

import random
import threading

import pytest
from django.db import connections

from accounts.models import User
from analytics import operations, queries, tasks
from analytics.models import DailyTotals
from tests.factories import UserFactory
from tests.movements import assert_exact, in_threads
from tests.worker import Worker

USERS, THREADS, WRITES, LOOKS, KILLS = 20, 8, 10_000, 100, 2

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


class Requests(threading.Thread):
    """Requests folds without pause, far more than one at a time, so that jobs pile up."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.wait(0.005):
            tasks.fold_totals.delay()


class Looks(threading.Thread):
    """Compares analytics with the transactions at random moments, and kills the worker."""

    def __init__(self, users: list[User], worker: Worker | None) -> None:
        super().__init__(daemon=True)
        self.users, self.worker, self.failures = users, worker, list[BaseException]()
        self.kills = 0
        self.looks = 0

    def run(self) -> None:
        chance = random.Random(7)
        kill_at = set(chance.sample(range(10, LOOKS - 10), KILLS)) if self.worker else set()
        try:
            for look in range(LOOKS):
                if self.worker and look in kill_at:
                    self.worker.kill()
                    self.kills += 1
                    self.worker.start()
                threading.Event().wait(chance.uniform(0, 0.4))
                assert_exact(chance.choice(self.users))
                assert queries.differences([user.pk for user in self.users]) == []
                self.looks += 1
        except BaseException as error:
            self.failures.append(error)
            raise
        finally:
            connections.close_all()


def test_ten_thousand_writes_while_workers_fold_and_die() -> None:
    users = UserFactory.create_batch(USERS)
    worker = Worker()
    requests, looks = Requests(), Looks(users, worker)
    try:
        requests.start()
        looks.start()
        done = in_threads(users, threads=THREADS, steps=WRITES, seed=1)
        looks.join()
    finally:
        requests.stop.set()
        requests.join()
        worker.stop()

    assert sum(done[kind] for kind in ("_create", "_edit", "_delete", "_rolled_back")) == WRITES
    assert (looks.failures, looks.looks, looks.kills) == ([], LOOKS, KILLS)
    assert DailyTotals.objects.filter(pending=False).exists(), "the workers folded nothing"
    _assert_everything_exact(users)
    operations.fold_everybody()
    _assert_everything_exact(users)


def test_totals_are_as_exact_when_nothing_ever_folds() -> None:
    users = UserFactory.create_batch(USERS)
    looks = Looks(users, None)

    looks.start()
    in_threads(users, threads=THREADS, steps=WRITES // 5, seed=2)
    looks.join()

    assert (looks.failures, looks.looks) == ([], LOOKS)
    assert not DailyTotals.objects.filter(pending=False).exists()
    _assert_everything_exact(users)


def _assert_everything_exact(users: list[User]) -> None:
    assert queries.differences([user.pk for user in users]) == []
    for user in users:
        assert_exact(user)
