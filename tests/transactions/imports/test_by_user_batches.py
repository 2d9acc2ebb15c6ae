"""A file of many people goes in and out batch by batch, whatever happens meanwhile."""

import json
from collections import defaultdict
from decimal import Decimal
from functools import partial
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import AccessLogEntry, User
from accounts.wallets import movements
from analytics import operations as totals
from tests.client import ApiClient, staff_with
from tests.factories import record, wallet
from tests.imports import faults, imported, present, upload, work
from tests.races import at_once, overtaken, wait_until, waiting_for_locks
from tests.transactions.imports.many import (
    FOREIGN,
    MANY,
    MAPPED,
    amounts,
    drawn,
    recorded,
    rows,
)
from tests.transactions.imports.undos import answers, ask, assert_all_exact, undone
from tests.wallets import held
from transactions import operations as transactions
from transactions.imports import people
from transactions.imports.layout import NDJSON, Layout
from transactions.imports.parts import Part
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


@pytest.fixture
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "BATCH_ROWS", 7)
    monkeypatch.setattr(people, "BATCH_PEOPLE", 3)


@pytest.mark.usefixtures("_small_batches")
@pytest.mark.parametrize("seed", range(4))
def test_it_is_as_if_each_had_sent_their_own_rows(
    service: ApiClient, crowd: list[ApiClient], seed: int
) -> None:
    lines = drawn(crowd, seed)
    row = imported(service, rows(*lines), **MANY)
    together = [recorded(each) for each in crowd]
    for each in crowd:
        assert_all_exact(each)
    assert row.rows_created == sum(map(len, together)) - len(crowd)
    assert row.rows_read == 60
    assert undone(service, row).rows_undone == row.rows_created

    own = defaultdict(list)
    for line in lines:
        own[line.split(",")[1]].append(line)
    for each, found in zip(crowd, together, strict=True):
        if mine := own[str(each.user_id)]:
            imported(each, rows(*mine))
        assert recorded(each) == found


@pytest.mark.usefixtures("_small_batches")
def test_interrupted_anywhere_it_goes_on(service: ApiClient, crowd: list[ApiClient]) -> None:
    lines = drawn(crowd, 9)
    whole = imported(service, rows(*lines), **MANY)
    expected = [recorded(each) for each in crowd]
    undone(service, whole)

    answer = upload(service, rows(*lines), **MANY)
    stops = 0
    while (row := work(answer.json()["id"], must_stop=lambda: True)).is_unfinished:
        stops += 1
        assert row.rows_read == row.rows_created + row.rows_refused

    assert stops > 6
    assert [recorded(each) for each in crowd] == expected
    assert [error["line"] for error in row.errors] == [error["line"] for error in whole.errors]


@pytest.mark.usefixtures("_small_batches")
def test_a_batch_has_a_bounded_number_of_people(service: ApiClient, crowd: list[ApiClient]) -> None:
    assert service.user
    lines = [(n, json.dumps({"user_id": each.user_id})) for n, each in enumerate(crowd * 4)]
    found = people.people_of(Layout(NDJSON, by_user=True), service.user, service.user_id).batches(
        iter(lines)
    )

    assert [len(shares) for shares in found] == [3, 3, 3, 3, 3, 3, 2]


def test_a_refused_row_is_not_tried_again(ada: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ada.user
    main = wallet(ada.user, USD="10")
    withdraw = partial(
        record,
        ada.user,
        wallet_id=main.pk,
        transaction_type="debit",
        transaction_amount=Decimal(5),
    )
    leave_out = Part.leave_out

    def withdrawn_meanwhile(part: Part, refused: Any) -> None:
        if not part.unsettled:
            withdraw()
        leave_out(part, refused)

    monkeypatch.setattr(Part, "leave_out", withdrawn_meanwhile)
    row = imported(ada, rows("-6,,,main", "-6,,,main", "-1,,,main"))

    assert [line for line, *_ in faults(row)] == [2, 3]
    assert held(main) == {"USD": Decimal(4)}


def test_a_cancelled_batch_leaves_nothing_for_anybody(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    answer = upload(service, rows(f"1,{ada.user_id},,", f"2,{ben.user_id},x,"), **MANY)
    row = present(answer.json()["id"])
    assert ben.user
    # It waits for this one, which takes the id that it wants.
    taking = partial(record, ben.user, external_id="x", transaction_amount=Decimal(7))

    def cancel() -> None:
        assert service.delete(f"/imports/{row.pk}").status_code == 204

    overtaken(call=partial(work, row.pk), by=taking, then=cancel)

    assert present(row.pk).status == "cancelled"
    assert (amounts(ada), amounts(ben)) == ([], [7])
    assert (amounts(ada), present(row.pk).rows_created) == ([], 0)
    for owner in (ada, ben):
        assert_all_exact(owner)


def test_two_at_once_for_the_same_people_record_everything_once(
    service: ApiClient, crowd: list[ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{n},{each.user_id},{n},main" for n in range(1, 30) for each in crowd]
    files = [rows(*lines), rows(*reversed(lines))]
    ids = [upload(service, file, **MANY).json()["id"] for file in files]

    met, settle = set(), movements.settle

    def meet(**kwargs: Any) -> Any:
        """Wait after the first person for the other import: at its first, or in our way."""
        settled = settle(**kwargs)
        if get_ident() not in met:
            met.add(get_ident())
            wait_until(lambda: len(met) == 2 or waiting_for_locks() == 1)
        return settled

    monkeypatch.setattr(movements, "settle", meet)
    done = at_once(*(partial(work, id_) for id_ in ids))

    assert [row.status for row in done] == ["done", "done"]
    assert sum(row.rows_created for row in done) == len(lines)
    for each in crowd:
        assert_all_exact(each)


@pytest.mark.usefixtures("_small_batches")
def test_an_undo_moves_everything_back(service: ApiClient, crowd: list[ApiClient]) -> None:
    totals.fold_everybody()
    before = [answers(each) for each in crowd]

    row = imported(service, rows(*drawn(crowd, 3)), **MANY)
    changed = [answers(each) for each in crowd]
    undone(service, row)

    assert changed != before
    assert [answers(each) for each in crowd] == before
    for each in crowd:
        assert_all_exact(each)


def test_an_undo_leaves_what_somebody_has_changed(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    row = imported(service, rows(f"1,{ada.user_id},,", f"2,{ben.user_id},,"), **MANY)
    his = Transaction.objects.get(user_id=ben.user_id)
    transactions.amend(row=his, changes={"transaction_amount": Decimal(3)})

    row = undone(service, row)

    assert (row.rows_undone, row.rows_kept) == (1, 1)
    assert row.kept == [{"id": str(his.pk), "code": "changed"}]
    assert (amounts(ada), amounts(ben)) == ([], [3])
    transactions.delete(row=his)
    assert undone(service, row).rows_undone == 1


def test_who_undoes_it_is_logged_for_each(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    staff = staff_with("transactions.add_transaction")
    file = rows(*(f"1,{each.user_id},," for each in (ada, ben, staff)))
    row = imported(staff, file, **MANY)

    # These are others' rows, whoever sent them.
    assert ask(staff, row).status_code == 403
    assert not AccessLogEntry.objects.exists()
    staff.grant("transactions.delete_transaction")
    staff = ApiClient(User.objects.get(pk=staff.user_id))

    assert undone(staff, row).rows_undone == 3
    found = AccessLogEntry.objects.order_by("subject").values_list("actor", "subject", "what")
    what = f"undo of import {row.pk}"
    assert list(found) == [(staff.user_id, each.user_id, what) for each in (ada, ben)]


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    """A file of two users, of which a piece is replaced, in one of three layouts."""
    ids = [draw(st.sampled_from(["A", "B", "", "0", "-1", "1e0", "null", "A"])) for _ in range(4)]
    native = rows(*(f"{n + 1},{id_},," for n, id_ in enumerate(ids)))
    lines = (f'{{"user_id": {id_ or 0}, "transaction_amount": 1}}' for id_ in ids)
    mapped = "".join(f"{id_};31.01.2026;-1,50\n" for id_ in ids)
    sent, fields = draw(
        st.sampled_from(
            [
                (native, MANY),
                ("\n".join(lines).encode(), MANY),
                (f"{FOREIGN}\n{mapped}".encode(), MAPPED),
            ]
        )
    )
    start, length = draw(st.tuples(st.integers(0, len(sent)), st.integers(0, 20)))
    junk = draw(st.just(b"") | st.binary(max_size=9) | st.sampled_from([b'"', b"\n", b";;", b"{"]))
    return sent[:start] + junk + sent[start + length * bool(junk) :], fields


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(file=damaged(), is_rehearsed=st.booleans())
def test_whatever_is_sent_is_taken_whole_or_refused_whole(
    service: ApiClient,
    crowd: list[ApiClient],
    folder: Path,
    file: tuple[bytes, dict[str, str]],
    is_rehearsed: bool,
) -> None:
    data, fields = file
    for name, who in zip((b"A", b"B"), crowd, strict=False):
        data = data.replace(name, str(who.user_id).encode())
    before = Transaction.objects.count()

    answer = upload(service, data, query="?dry_run=true" if is_rehearsed else "", **fields)

    assert answer.status_code in {200, 202, 400}, answer.content
    if answer.status_code != 202:
        assert Transaction.objects.count() == before
        assert [path for path in folder.iterdir() if path.suffix == ".spool"] == []
        return
    row = work(answer.json()["id"])
    assert row.status in {"done", "failed"}
    assert row.rows_read == row.rows_created + row.rows_refused
    assert Transaction.objects.count() == before + row.rows_created
    assert not Transaction.objects.filter(user_id=service.user_id).exists()
