"""An undo meets edits, other undos, imports of the same file, and workers that die."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.db.models.functions import Now

from fido.lib.values.errors import NotFound
from tests.client import ApiClient
from tests.factories import record, wallet
from tests.imports import HEADER, age, amounts, claimed, csv, imported, present, rows, work
from tests.races import and_disconnect, at_once, overtaken, wait_until
from tests.transactions.imports.undos import ask, assert_all_exact, kept, undone
from tests.wallets import held
from tests.worker import running_worker
from transactions import operations as transactions
from transactions.imports import operations, people, queries, running, tasks
from transactions.imports.models import Import
from transactions.models import Transaction
from transactions.signals import transactions_unloaded

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small_batches(spool_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "BATCH_ROWS", 2)


@contextmanager
def hearing(receiver: Callable[..., None]) -> Iterator[None]:
    """A receiver that takes part in the batch's database transaction."""
    transactions_unloaded.connect(receiver)
    try:
        yield
    finally:
        transactions_unloaded.disconnect(receiver)


def row_of(amount: int) -> Transaction:
    return Transaction.objects.get(transaction_amount=amount)


def lapse(row: Import) -> None:
    """As if its worker had been dead for a minute."""
    assert Import.objects.filter(id=row.pk).update(leased_until=Now() - timedelta(seconds=1))


def edited(row: Transaction) -> None:
    transactions.amend(row=row, changes={"transaction_amount": Decimal(50)})


def test_an_edit_that_comes_first_keeps_the_row(ada: ApiClient) -> None:
    row = imported(ada, rows(4))
    ask(ada, row)

    done = overtaken(call=partial(work, row.pk), by=partial(edited, row_of(3)))

    assert (done.rows_undone, done.rows_kept, kept(done)) == (3, 1, [("50.0000", "changed")])
    assert amounts(ada) == [50]
    assert_all_exact(ada)


def test_an_edit_that_is_rolled_back_keeps_nothing(ada: ApiClient) -> None:
    row = imported(ada, rows(4))
    ask(ada, row)

    done = overtaken(call=partial(work, row.pk), by=partial(edited, row_of(3)), in_vain=True)

    assert (done.rows_undone, done.rows_kept) == (4, 0)
    assert_all_exact(ada)


def test_an_edit_that_comes_second_finds_nothing(ada: ApiClient) -> None:
    row = imported(ada, rows(4))
    ask(ada, row)
    victim = row_of(3)
    mine = claimed(row)
    batch = queries.next_to_undo(mine)
    assert batch

    def edit() -> bool:
        try:
            edited(victim)
        except NotFound:
            return False
        return True

    undo = partial(operations.undo_batch, row=mine, batch=batch)
    assert not overtaken(call=edit, by=undo)
    assert_all_exact(ada)


def test_a_deletion_that_comes_first_is_neither_undone_nor_kept(ada: ApiClient) -> None:
    row = imported(ada, rows(4))
    ask(ada, row)

    done = overtaken(call=partial(work, row.pk), by=partial(transactions.delete, row=row_of(3)))

    assert (done.rows_undone, done.rows_kept) == (3, 0)
    assert_all_exact(ada)


def describe(amount: int) -> bool:
    """Edit the row with this amount; return whether it was there."""
    found = Transaction.objects.filter(transaction_amount=amount).first()
    try:
        if found:
            transactions.amend(row=found, changes={"description": "mine"})
    except NotFound:
        return False
    return found is not None


def test_each_row_is_edited_or_undone_and_never_both(ada: ApiClient) -> None:
    for _ in range(10):
        row = imported(ada, rows(6))
        ask(ada, row)
        mine = claimed(row)

        edits = [partial(describe, amount) for amount in (1, 3, 6)]
        _, *found = at_once(partial(running.run, mine, must_stop=lambda: False), *edits)

        done = present(row.pk)
        assert (done.status, done.rows_undone + done.rows_kept) == ("undone", 6)
        left = list(Transaction.objects.all())
        assert done.rows_kept == sum(map(bool, found)) == len(left)
        assert_all_exact(ada)
        for each in left:
            transactions.delete(row=each)


def test_of_many_undos_at_once_one_is_begun(ada: ApiClient) -> None:
    row = imported(ada, rows(6))

    asked = at_once(*[lambda: ask(ada, row).json()["status"]] * 8)
    mine = at_once(*[lambda: operations.claim(user_id=row.user_id, import_id=row.pk)] * 8)

    assert set(asked) == {"undoing"}
    (claimed_once,) = [each for each in mine if each]
    running.run(claimed_once, must_stop=lambda: False)
    done = present(row.pk)
    assert (done.status, done.rows_undone, done.rows_kept) == ("undone", 6, 0)
    assert_all_exact(ada)


def test_asked_again_meanwhile_the_worker_keeps_its_lease(ada: ApiClient) -> None:
    row = imported(ada, rows(6))
    ask(ada, row)
    mine = claimed(row)
    batch = queries.next_to_undo(mine)
    assert batch
    operations.undo_batch(row=mine, batch=batch)

    again = ask(ada, row)

    assert (again.status_code, again.json()["rows_undone"]) == (202, 2)
    assert present(row.pk).lease == mine.lease
    assert operations.claim(user_id=row.user_id, import_id=row.pk) is None
    running.run(mine, must_stop=lambda: False)
    assert (present(row.pk).status, present(row.pk).rows_undone) == ("undone", 6)


def test_an_undo_and_an_import_of_the_same_file(ada: ApiClient) -> None:
    """Each row of the second import is refused, or comes once the first one's is gone."""
    file = rows(12, external_id=lambda n: f"x-{n:02}")
    for _ in range(5):
        first = imported(ada, file)
        ask(ada, first)
        mine = claimed(first)

        def again() -> Import:
            return imported(ada, file)

        def undo(mine: Import = mine) -> Import:
            running.run(mine, must_stop=lambda: False)
            return present(mine.pk)

        done, second = at_once(undo, again)

        assert (done.status, done.rows_undone) == ("undone", 12)
        assert (second.status, second.rows_created + second.rows_refused) == ("done", 12)
        assert Transaction.objects.count() == second.rows_created
        assert_all_exact(ada)
        undone(ada, second)


def test_money_that_is_spent_meanwhile_keeps_its_row(ada: ApiClient) -> None:
    assert ada.user
    main = wallet(ada.user, USD="0")
    lines = ["2026-01-31,4,credit,main", "2026-01-31,6,credit,main"]
    row = imported(ada, csv(*lines, header=f"{HEADER},wallet"))
    ask(ada, row)
    spend = partial(
        record,
        ada.user,
        wallet_id=main.pk,
        transaction_type="debit",
        transaction_amount=Decimal(5),
    )

    done = overtaken(call=partial(work, row.pk), by=spend)

    assert kept(done) == [("6.0000", "insufficient-funds")]
    assert (done.rows_undone, held(main)) == (1, {"USD": Decimal(1)})
    assert_all_exact(ada)


def test_a_batch_that_breaks_off_deletes_nothing_and_is_done_again(ada: ApiClient) -> None:
    row = imported(ada, rows(5))
    ask(ada, row)
    batches: list[int] = []

    def break_off(**kwargs: Any) -> None:
        batches.append(1)
        if len(batches) == 2:
            raise ConnectionError

    with hearing(break_off), pytest.raises(ConnectionError):
        work(row.pk)
    assert amounts(ada) == [1, 2, 3, 4]
    assert (present(row.pk).status, present(row.pk).rows_undone) == ("undoing", 1)
    assert_all_exact(ada)

    assert work(row.pk).rows_undone == 5
    assert amounts(ada) == []
    assert_all_exact(ada)


def test_a_worker_that_was_taken_over_deletes_nothing_more(ada: ApiClient) -> None:
    row = imported(ada, rows(4))
    ask(ada, row)
    slow = claimed(row)
    lapse(row)
    other = claimed(row)

    running.run(slow, must_stop=lambda: False)
    assert amounts(ada) == [1, 2, 3, 4]
    running.run(other, must_stop=lambda: False)

    done = present(row.pk)
    assert (done.status, done.rows_undone, amounts(ada)) == ("undone", 4, [])
    assert_all_exact(ada)


def test_a_worker_is_taken_over_while_it_commits(ada: ApiClient) -> None:
    row = imported(ada, rows(4))
    ask(ada, row)
    taken_over: list[int] = []

    def take_over(**kwargs: Any) -> None:
        if not taken_over:
            taken_over.append(1)
            with ThreadPoolExecutor(1) as pool:
                pool.submit(and_disconnect, partial(lapse, row)).result()
                assert pool.submit(and_disconnect, partial(claimed, row)).result()

    with hearing(take_over):
        work(row.pk)

    assert (present(row.pk).status, amounts(ada)) == ("undoing", [1, 2, 3, 4])
    assert_all_exact(ada)
    lapse(row)
    assert work(row.pk).rows_undone == 4
    assert_all_exact(ada)


def test_an_undo_interrupted_again_and_again_fails_and_can_be_repeated(ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    ask(ada, row)
    for _ in range(operations.MAX_STARTS):
        operations.release(claimed(row))

    failed = work(row.pk)
    assert (failed.status, failed.failure) == ("failed", "interrupted-too-often")
    assert amounts(ada) == [1, 2, 3]

    assert undone(ada, row).rows_undone == 3


def test_an_undo_that_met_a_lock_again_and_again_is_done_later(ada: ApiClient) -> None:
    row = imported(ada, rows(1))
    ask(ada, row)

    def impatient() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '50ms'")
        work(row.pk)

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        list(Transaction.objects.select_for_update())
        for _ in range(operations.MAX_STARTS + 1):
            with pytest.raises(OperationalError, match="lock timeout"):
                pool.submit(and_disconnect, impatient).result()

    assert work(row.pk).status == "undone"
    assert amounts(ada) == []


def test_an_undo_whose_job_was_lost_is_found(ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    operations.begin_undo(row=row)
    age(row)

    tasks.resume_imports()

    assert (present(row.pk).status, amounts(ada)) == ("undone", [])


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(ada: ApiClient) -> None:
    content = csv(*[f"2026-01-{1 + n % 28:02},{n},credit" for n in range(1, 1001)])
    row = imported(ada, content)
    with running_worker() as worker:
        ask(ada, row)
        wait_until(lambda: present(row.pk).rows_undone >= 100)
        worker.kill()
        half = present(row.pk)
        assert half.status == "undoing"
        assert half.rows_undone == 1000 - Transaction.objects.count() < 1000
        assert_all_exact(ada)
        lapse(row)
        worker.start()
        age(row)
        tasks.resume_imports.delay()
        wait_until(lambda: present(row.pk).status == "undone")

    assert present(row.pk).rows_undone == 1000
    assert amounts(ada) == []
    assert_all_exact(ada)


def test_an_answer_that_was_kept_before_a_batch_is_not_given_after_it(ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    ask(ada, row)
    assert [ada.get("/analytics")["X-Cache"] for _ in range(2)] == ["miss", "hit"]
    seen = []

    def look() -> bool:
        seen.append(ada.get("/analytics").json()["total_transactions"])
        return False

    work(row.pk, must_stop=look)

    assert seen == [2, 0]
