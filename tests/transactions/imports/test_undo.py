"""An import is undone: what it created goes, what somebody changed stays, and all sums go back."""

from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.wallets.operations import close_wallet
from analytics import operations as totals
from analytics.alerts.models import Alert
from tests.alerts import add_default_rules, check_all
from tests.client import ApiClient
from tests.factories import record, wallet
from tests.imports import HEADER, amounts, csv, imported, present, rows, submitted, upload, work
from tests.key_rings import rotate
from tests.transactions.imports.undos import answers, ask, assert_all_exact, kept, undone
from tests.transactions.statements.files import content
from tests.wallets import held
from transactions.imports import operations, people, queries
from transactions.imports.models import Import, ImportBatch
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
IN_WALLETS = csv(
    "2026-01-31,40,credit,main,USD",
    "2026-01-31,55.55,debit,main,USD",
    "2026-01-30,3,credit,,KWD",
    "2026-01-31T23:59:59Z,7,debit,other,EUR",
    "2026-01-31,500,credit,other,EUR",
    "2026-02-01,499.99,debit,other,EUR",
    header=f"{HEADER},wallet,currency",
)
FILES = {
    "a CSV file with wallets": IN_WALLETS,
    **{
        name: content(name)
        for name in (
            "camt/camt053.v2.multi.statement.xml",
            "mt940/cmxl/mt940.sta",
            "mt940/ASNB/mt940.txt",
            "ofx/checking.ofx",
            "ofx/bank_medium.ofx",
            "qif/creditunion.qif",
        )
    },
}


@pytest.fixture(autouse=True)
def _small_batches(spool_folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(people, "BATCH_ROWS", 2)


@pytest.fixture
def history(ada: ApiClient) -> ApiClient:
    """Ada, with wallets and a history on the same days and in the same currencies."""
    assert ada.user
    main = wallet(ada.user, USD="20.00")
    wallet(ada.user, "other", EUR="10.00")
    for day in ("2026-01-31", "2026-02-01", "2013-12-28"):
        body = {"transaction_date": day, "transaction_type": "credit", "wallet": main.name}
        for currency in ("USD", "EUR"):
            more = {"transaction_amount": "1.25", "currency": currency}
            assert ada.post("/transactions", body | more).status_code == 201
    return ada


def patch(client: ApiClient, amount: int, **changes: str) -> str:
    """Change the transaction with this amount; return its id."""
    row = Transaction.objects.get(user_id=client.user_id, transaction_amount=amount)
    assert client.patch(f"/transactions/{row.pk}", changes).status_code == 200
    return str(row.pk)


@pytest.mark.parametrize("folded", [False, True], ids=["pending totals", "folded totals"])
@pytest.mark.parametrize("name", FILES)
def test_all_figures_are_to_the_byte_as_before(history: ApiClient, name: str, folded: bool) -> None:
    before, count = answers(history), Transaction.objects.count()
    row = imported(history, FILES[name])
    assert row.rows_created > 0
    assert answers(history)[0] != before[0]
    if folded:
        totals.fold_everybody()

    row = undone(history, row)

    assert answers(history) == before
    counts = (row.status, row.rows_undone, row.rows_kept, row.kept)
    assert counts == ("undone", row.rows_created, 0, [])
    assert Transaction.objects.count() == count
    assert_all_exact(history)
    totals.fold_everybody()
    assert answers(history) == before


def test_its_answers_show_what_it_does(ada: ApiClient) -> None:
    row = imported(ada, rows(5))
    path = f"/imports/{row.pk}"

    asked = ask(ada, row)
    again = ask(ada, row)
    shown = ada.get(path).json()
    work(row.pk)
    done = ada.get(path).json()

    assert (asked.status_code, asked.json()) == (again.status_code, again.json()) == (202, shown)
    assert (shown["status"], shown["finished_at"], shown["rows_undone"]) == ("undoing", None, 0)
    assert (done["status"], done["rows_undone"], done["rows_kept"]) == ("undone", 5, 0)
    assert done["finished_at"] is not None
    (listed,) = ada.get("/imports").json()["results"]
    assert listed == {name: value for name, value in done.items() if name in listed}
    assert "kept" not in listed
    assert done["kept"] == []


def test_changed_rows_stay_deleted_ones_are_neither_and_others_go(ada: ApiClient) -> None:
    row = imported(ada, rows(6))
    edited = patch(ada, 3, description="mine")
    categorised = patch(ada, 5, category="books")
    gone = Transaction.objects.get(transaction_amount=2)
    assert ada.delete(f"/transactions/{gone.pk}").status_code == 204

    row = undone(ada, row)

    assert (row.rows_undone, row.rows_kept) == (3, 2)
    assert row.kept == [
        {"id": categorised, "code": "changed"},
        {"id": edited, "code": "changed"},
    ]
    assert amounts(ada) == [3, 5]
    assert_all_exact(ada)


def test_a_change_back_is_a_change(ada: ApiClient) -> None:
    row = imported(ada, rows(1))
    patch(ada, 1, currency="EUR")
    patch(ada, 1, currency="USD")

    assert undone(ada, row).rows_kept == 1


def test_new_keys_are_no_change_by_a_person(ada: ApiClient, settings: Any) -> None:
    row = imported(ada, rows(3, description=lambda n: f"text {n}"))
    rotate(settings)
    call_command("reencrypt", stdout=StringIO())

    assert undone(ada, row).rows_undone == 3


def test_what_was_there_and_what_came_later_stays(ada: ApiClient) -> None:
    assert ada.user
    record(ada.user, transaction_amount=Decimal(100))
    first, second = imported(ada, rows(2)), imported(ada, rows(4))
    record(ada.user, transaction_amount=Decimal(200))

    undone(ada, first)

    assert amounts(ada) == [1, 2, 3, 4, 100, 200]
    assert undone(ada, second).rows_undone == 4
    assert amounts(ada) == [100, 200]


def test_it_is_tried_again_and_the_counts_add_up(ada: ApiClient) -> None:
    assert ada.user
    main = wallet(ada.user, USD="0")
    header = f"{HEADER},wallet"
    row = imported(ada, csv(*(f"2026-01-31,{n},credit,main" for n in (1, 2, 4)), header=header))
    spent = record(
        ada.user, wallet_id=main.pk, transaction_type="debit", transaction_amount=Decimal(5)
    )

    first = undone(ada, row)
    assert (first.rows_undone, first.rows_kept) == (1, 2)
    assert kept(first) == [("4.0000", "insufficient-funds"), ("1.0000", "insufficient-funds")]
    assert held(main) == {"USD": Decimal(0)}
    assert ada.delete(f"/transactions/{spent.pk}").status_code == 204
    second = undone(ada, row)
    third = undone(ada, row)

    for again in (second, third):
        assert (again.status, again.rows_undone, again.rows_kept) == ("undone", 3, 0)
    assert held(main) == {"USD": Decimal(0)}
    assert_all_exact(ada)


def test_a_repeat_looks_only_where_something_was_left(ada: ApiClient) -> None:
    row = imported(ada, rows(6))
    patch(ada, 3, description="mine")
    row = undone(ada, row)

    row.undone_to = None

    batch = queries.next_to_undo(row)
    assert batch
    assert (batch.position, batch.left) == (2, 1)
    row.undone_to = batch.position
    assert queries.next_to_undo(row) is None


def test_a_closed_wallet_keeps_its_rows(ada: ApiClient) -> None:
    assert ada.user
    ended = wallet(ada.user, "ended", USD="0")
    lines = ["2026-01-31,5,credit,ended", "2026-01-31,5,debit,ended", "2026-01-31,7,debit,"]
    row = imported(ada, csv(*lines, header=f"{HEADER},wallet"))
    close_wallet(wallet=ended)

    row = undone(ada, row)

    assert (row.rows_undone, row.rows_kept) == (1, 2)
    assert kept(row) == [("5.0000", "wallet-closed"), ("5.0000", "wallet-closed")]
    assert_all_exact(ada)


def test_balances_take_the_way_back_on_which_they_came(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forwards, the deposit could not be taken out before the withdrawal is back."""
    assert ada.user
    main = wallet(ada.user, USD="1.00")
    moves = ("100,credit", "100,debit", "30,credit", "29,debit")
    lines = [f"2026-01-31,{move},main" for move in moves]
    for size in (1, 2, 3, 10):
        monkeypatch.setattr(people, "BATCH_ROWS", size)
        row = undone(ada, imported(ada, csv(*lines, header=f"{HEADER},wallet")))

        assert (row.rows_undone, row.rows_kept) == (4, 0)
        assert held(main) == {"USD": Decimal(1)}
    assert_all_exact(ada)


def test_what_is_refused_on_the_way_may_be_possible_at_its_end(ada: ApiClient) -> None:
    assert ada.user
    main = wallet(ada.user, USD="80.00")
    lines = ["2026-01-31,80,debit,main", "2026-01-31,80,credit,main"]
    row = imported(ada, csv(*lines, header=f"{HEADER},wallet"))
    record(ada.user, wallet_id=main.pk, transaction_type="debit", transaction_amount=Decimal(80))

    assert undone(ada, row).rows_undone == 2
    assert held(main) == {"USD": Decimal(0)}
    assert_all_exact(ada)


def test_the_file_can_be_sent_again(ada: ApiClient) -> None:
    file = rows(5, external_id=lambda n: f"x-{n}")
    first = upload(ada, file, key="k-1")
    before = answers(ada)[:4]
    work(first.json()["id"])
    full = answers(ada)[:4]
    undone(ada, present(first.json()["id"]))
    assert answers(ada)[:4] == before

    # The key belongs to the first upload, and creates nothing more.
    assert upload(ada, file, key="k-1").content == first.content
    assert amounts(ada) == []
    assert imported(ada, file).rows_created == 5

    assert answers(ada)[:4] == full
    assert_all_exact(ada)


def test_of_an_import_that_has_not_ended_it_is_refused(ada: ApiClient) -> None:
    queued = submitted(ada, rows(5))
    running_one = work(submitted(ada, rows(5)).pk, must_stop=lambda: True)
    assert (queued.status, running_one.status) == ("queued", "running")

    for row in (queued, running_one):
        answer = ask(ada, row)
        assert (answer.status_code, answer.json()["code"]) == (409, "import-unfinished")

    assert ada.delete(f"/imports/{running_one.pk}").status_code == 204
    assert undone(ada, running_one).rows_undone == 2
    assert amounts(ada) == []


def test_a_failed_import_is_undone_and_has_not_failed_any_more(ada: ApiClient) -> None:
    name = "mt940/ASNB/mt940.txt"
    cut = submitted(ada, content(name))
    work(cut.pk, must_stop=lambda: True)
    for _ in range(operations.MAX_STARTS):
        Import.objects.filter(pk=cut.pk).update(starts=operations.MAX_STARTS)
    failed = work(cut.pk)
    assert (failed.status, failed.failure) == ("failed", "interrupted-too-often")

    row = undone(ada, failed)

    assert (row.status, row.failure, row.rows_undone) == ("undone", "", 2)


def test_an_import_of_an_earlier_release_is_refused(ada: ApiClient) -> None:
    row = imported(ada, rows(5))
    ImportBatch.objects.filter(source=row).order_by("position").first().delete()  # type: ignore[union-attr]

    answer = ask(ada, row)

    assert (answer.status_code, answer.json()["code"]) == (409, "import-too-old")
    assert present(row.pk).status == "done"
    assert amounts(ada) == [1, 2, 3, 4, 5]


def test_an_import_that_created_nothing_is_undone(ada: ApiClient) -> None:
    row = undone(ada, imported(ada, csv("2026-01-31,1,gift")))

    assert (row.status, row.rows_undone) == ("undone", 0)


def test_undos_count_among_the_unfinished_imports(ada: ApiClient) -> None:
    row = imported(ada, rows(1))
    for _ in range(operations.MAX_UNFINISHED):
        submitted(ada, rows(1))

    answer = ask(ada, row)

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-imports")
    assert present(row.pk).status == "done"


def test_it_is_cancelled_and_asked_for_again(ada: ApiClient) -> None:
    row = imported(ada, rows(6))
    ask(ada, row)
    work(row.pk, must_stop=lambda: True)

    assert ada.delete(f"/imports/{row.pk}").status_code == 204
    cancelled = present(row.pk)
    assert (cancelled.status, cancelled.rows_undone, amounts(ada)) == ("cancelled", 2, [1, 2, 3, 4])

    assert undone(ada, row).rows_undone == 6
    assert amounts(ada) == []


def test_only_the_first_thousand_are_told(ada: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "MAX_KEPT", 3)
    row = imported(ada, rows(5))
    Transaction.objects.update(version=2)

    row = undone(ada, row)

    assert row.rows_kept == 5
    assert [amount for amount, _ in kept(row)] == ["5.0000", "4.0000", "3.0000"]


def test_alerts_stay_as_when_a_transaction_is_deleted(ada: ApiClient) -> None:
    assert ada.user
    add_default_rules()
    row = imported(ada, csv("2026-01-31,1000,debit", "2026-02-01,1000,debit"))
    check_all(ada.user)
    raised = set(Alert.objects.values_list("pk", flat=True))
    assert raised

    undone(ada, row)
    check_all(ada.user)

    assert set(Alert.objects.values_list("pk", flat=True)) == raised


def test_what_is_undone_before_its_check_raises_nothing(ada: ApiClient) -> None:
    assert ada.user
    add_default_rules()
    undone(ada, imported(ada, csv("2026-01-31,1000,debit")))

    check_all(ada.user)

    assert not Alert.objects.exists()


def test_each_created_row_is_in_the_range_of_its_batch(ada: ApiClient) -> None:
    record(ada.user)  # type: ignore[arg-type]
    imported(ada, rows(5))
    row = imported(ada, csv(*["2026-01-31,1,credit", "x,1,credit"] * 4))

    batches = ImportBatch.objects.filter(source=row).order_by("position")

    assert [(each.position, each.rows) for each in batches] == [(n, 1) for n in (0, 2, 4, 6)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM transactions_transaction t JOIN imports_importbatch b"
            " ON t.id BETWEEN b.first AND b.last WHERE b.source_id = %s",
            [row.pk],
        )
        assert cursor.fetchone() == (4,)
