"""An import is interrupted, taken over, cancelled and repeated; each row exists once."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from accounts.models import User
from tests.client import ApiClient
from tests.factories import record
from tests.imports import (
    HEADER,
    amounts,
    claimed,
    csv,
    faults,
    imported,
    present,
    rows,
    submitted,
    work,
)
from tests.movements import assert_exact
from tests.races import and_disconnect, at_once, wait_until, waiting_for_locks
from transactions.imports import lanes, operations, people, running, spool
from transactions.imports.models import Import
from transactions.signals import transactions_loaded

pytestmark = pytest.mark.django_db(transaction=True)
WITH_IDS = f"{HEADER},external_id"


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "BATCH_ROWS", 2)


def lapse(row: Import) -> None:
    """As if its worker had been dead for a minute."""
    assert Import.objects.filter(id=row.pk).update(leased_until=Now() - timedelta(seconds=1))


@contextmanager
def hearing(receiver: Callable[..., None]) -> Iterator[None]:
    """A receiver that takes part in the batch's database transaction."""
    transactions_loaded.connect(receiver)
    try:
        yield
    finally:
        transactions_loaded.disconnect(receiver)


def test_an_import_stopped_between_two_batches_is_continued(ada: ApiClient) -> None:
    row = submitted(ada, rows(5))

    stopped = work(row.pk, must_stop=lambda: True)
    assert (stopped.status, stopped.rows_created, stopped.lease) == ("running", 2, None)
    done = work(row.pk)

    assert (done.status, done.rows_created) == ("done", 5)
    assert amounts(ada) == [1, 2, 3, 4, 5]
    assert_exact(ada.user)  # type: ignore[arg-type]


def test_a_batch_that_breaks_off_leaves_nothing_and_is_done_again(ada: ApiClient) -> None:
    row = submitted(ada, rows(5))
    batches: list[int] = []

    def break_off(**kwargs: Any) -> None:
        batches.append(1)
        if len(batches) == 2:
            raise ConnectionError

    with hearing(break_off), pytest.raises(ConnectionError):
        work(row.pk)
    assert amounts(ada) == [1, 2]
    assert present(row.pk).rows_read == 2
    assert_exact(ada.user)  # type: ignore[arg-type]

    assert work(row.pk).rows_created == 5
    assert amounts(ada) == [1, 2, 3, 4, 5]


def test_refused_rows_are_not_read_again_after_a_stop(ada: ApiClient) -> None:
    good, bad = "2026-01-31,1,credit", "2026-01-31,1,gift"
    row = submitted(ada, csv(bad, good, bad, good, good))

    work(row.pk, must_stop=lambda: True)
    done = work(row.pk)

    assert (done.rows_read, done.rows_created, done.rows_refused) == (5, 3, 2)
    assert [line for line, _, _ in faults(done)] == [2, 4]


def test_one_worker_alone_has_an_import(ada: ApiClient) -> None:
    row = submitted(ada, rows(1))

    def claim() -> Import | None:
        return operations.claim(user_id=row.user_id, import_id=row.pk)

    assert sum(found is not None for found in at_once(*[claim] * 8)) == 1


def test_a_worker_that_was_taken_over_commits_nothing_more(ada: ApiClient) -> None:
    row = submitted(ada, rows(5))
    slow = claimed(row)
    lapse(slow)

    done = work(row.pk)
    running.run(slow, must_stop=lambda: False)

    assert (done.status, present(row.pk).rows_created) == ("done", 5)
    assert amounts(ada) == [1, 2, 3, 4, 5]
    assert_exact(ada.user)  # type: ignore[arg-type]


def test_a_worker_is_taken_over_while_it_commits(ada: ApiClient) -> None:
    row = submitted(ada, rows(4))
    taken_over: list[int] = []

    def take_over(**kwargs: Any) -> None:
        if not taken_over:
            taken_over.append(1)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(and_disconnect, other_worker).result()

    def other_worker() -> None:
        lapse(row)
        work(row.pk)

    with hearing(take_over):
        work(row.pk)

    assert (present(row.pk).status, present(row.pk).rows_created) == ("done", 4)
    assert amounts(ada) == [1, 2, 3, 4]
    assert_exact(ada.user)  # type: ignore[arg-type]


def test_a_cancelled_import_goes_no_further(ada: ApiClient) -> None:
    row = submitted(ada, rows(5))

    def cancel() -> bool:
        return bool(ada.delete(f"/imports/{row.pk}").status_code == 204) and False

    done = work(row.pk, must_stop=cancel)

    assert (done.status, done.rows_created) == ("cancelled", 2)
    assert amounts(ada) == [1, 2]
    assert not spool.path_of(row.pk).exists()
    assert ada.delete(f"/imports/{row.pk}").json()["code"] == "import-finished"


def test_it_is_cancelled_or_done_and_never_both(ada: ApiClient) -> None:
    for _ in range(20):
        mine = claimed(submitted(ada, rows(1)))

        def finish(mine: Import = mine) -> str:
            try:
                operations.finish(mine)
            except operations.LeaseLost:
                return "cancelled"
            return "done"

        def cancel(mine: Import = mine) -> str:
            answer = ada.delete(f"/imports/{mine.pk}")
            return "cancelled" if answer.status_code == 204 else "done"

        said = set(at_once(finish, cancel))

        assert said == {present(mine.pk).status}


def test_the_same_file_again_creates_nothing(ada: ApiClient) -> None:
    content = rows(5, external_id=lambda n: f"x-{n}")
    imported(ada, content)

    again = imported(ada, content)

    assert (again.rows_created, again.rows_refused) == (0, 5)
    assert faults(again)[0] == (2, "external_id", "external-id-taken")
    assert amounts(ada) == [1, 2, 3, 4, 5]


def test_an_external_id_counts_once_in_a_file_and_in_two_batches(ada: ApiClient) -> None:
    done = imported(ada, rows(6, external_id=lambda n: "abcabb"[n - 1]))

    assert faults(done) == [(line, "external_id", "external-id-taken") for line in (5, 6, 7)]
    assert amounts(ada) == [1, 2, 3]


def test_the_external_id_of_another_user_is_free(ada: ApiClient, ben: ApiClient) -> None:
    record(ben.user, external_id="x-1")  # type: ignore[arg-type]

    assert imported(ada, rows(1, external_id=lambda n: f"x-{n}")).rows_created == 1


def test_an_external_id_that_is_taken_at_the_last_moment_is_refused(ada: ApiClient) -> None:
    row = submitted(ada, rows(3, external_id=lambda n: f"x-{n}"))
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            record(ada.user, external_id="x-2")  # type: ignore[arg-type]
            late = pool.submit(and_disconnect, lambda: work(row.pk))
            wait_until(lambda: late.done() or waiting_for_locks() == 1)
            assert not late.done()
        done = late.result()

    assert (done.rows_created, done.rows_refused) == (2, 1)
    assert faults(done) == [(3, "external_id", "external-id-taken")]
    assert amounts(ada) == [1, 3, 10]
    assert_exact(ada.user)  # type: ignore[arg-type]


def test_rows_are_copied_in_the_order_of_their_external_ids(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "BATCH_ROWS", 5)
    imported(ada, rows(5, external_id=lambda n: "cbaed"[n - 1]))

    with connection.cursor() as cursor:  # in the order in which they were inserted
        cursor.execute("SELECT external_id FROM transactions_transaction ORDER BY ctid")
        assert [external_id for (external_id,) in cursor.fetchall()] == list("abcde")


def test_a_process_that_dies_while_it_encodes_breaks_the_import_off(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = submitted(ada, rows(5))
    encode = lanes.Lane.encode

    def killed(lane: lanes.Lane, batch: lanes.Batch) -> Any:
        lane._process.kill()
        return encode(lane, batch)

    with monkeypatch.context() as patch:
        patch.setattr(lanes.Lane, "encode", killed)
        with pytest.raises((EOFError, BrokenPipeError)):
            work(row.pk)

    assert amounts(ada) == []
    assert work(row.pk).rows_created == 5


@pytest.mark.parametrize(("count", "expected"), [(2, 1), (5, 2)])
def test_as_many_processes_encode_as_there_are_batches_and_none_is_left(
    ada: ApiClient, settings: Any, monkeypatch: pytest.MonkeyPatch, count: int, expected: int
) -> None:
    settings.IMPORT_PROCESSES = 2
    started: list[lanes.Lane] = []
    start = lanes.Lane.__init__

    def noted(lane: lanes.Lane, *args: Any) -> None:
        start(lane, *args)
        started.append(lane)

    monkeypatch.setattr(lanes.Lane, "__init__", noted)

    assert imported(ada, rows(count)).rows_created == count

    assert len(started) == expected
    assert all(lane._process.returncode is not None for lane in started)


def test_an_import_interrupted_again_and_again_fails(ada: ApiClient) -> None:
    row = submitted(ada, rows(1))
    for _ in range(operations.MAX_STARTS):
        operations.release(claimed(row))

    done = work(row.pk)

    assert (done.status, done.failure) == ("failed", "interrupted-too-often")
    assert not spool.path_of(row.pk).exists()
    assert amounts(ada) == []


def test_an_import_that_met_a_lock_again_and_again_is_done_later(ada: ApiClient) -> None:
    row = submitted(ada, rows(1))

    def impatient() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        work(row.pk)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        list(User.objects.select_for_update().filter(pk=ada.user_id))
        for _ in range(operations.MAX_STARTS + 1):
            with pytest.raises(OperationalError, match="lock timeout"):
                pool.submit(and_disconnect, impatient).result()

    assert work(row.pk).status == "done"
    assert amounts(ada) == [1]


def test_a_batch_that_was_done_forgives_the_starts_before_it(ada: ApiClient) -> None:
    row = submitted(ada, rows(5))
    for _ in range(operations.MAX_STARTS - 1):
        operations.release(claimed(row))

    work(row.pk, must_stop=lambda: True)

    assert present(row.pk).starts == 0
    assert work(row.pk).status == "done"


def test_an_import_whose_file_is_gone_fails_and_says_so(ada: ApiClient) -> None:
    row = submitted(ada, rows(1))
    spool.discard(row.pk)

    done = work(row.pk)

    assert (done.status, done.failure) == ("failed", "file-lost")


def test_an_answer_that_was_kept_before_a_batch_is_not_given_after_it(ada: ApiClient) -> None:
    row = submitted(ada, rows(3))
    assert [ada.get("/analytics")["X-Cache"] for _ in range(2)] == ["miss", "hit"]
    seen = []

    def look() -> bool:
        seen.append(ada.get("/analytics").json()["total_transactions"])
        return False

    work(row.pk, must_stop=look)

    assert seen == [2, 3]
