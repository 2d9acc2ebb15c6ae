"""Rows that name a wallet move its balance, one after another, or are refused."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from accounts.wallets.models import Wallet
from accounts.wallets.operations import close_wallet
from tests.client import ApiClient
from tests.exports import given_to
from tests.factories import record, wallet
from tests.imports import HEADER, claimed, csv, imported, submitted
from tests.movements import assert_exact
from tests.races import overtaken
from tests.wallets import assert_balanced, held
from transactions.imports import running
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
WITH_WALLET = f"{HEADER},wallet,external_id"


@pytest.fixture(autouse=True)
def _spool(spool_folder: Any) -> None:
    pass


@pytest.fixture
def main(ada: ApiClient) -> Wallet:
    assert ada.user
    return wallet(ada.user, USD="10.00")


def rows(*lines: str) -> bytes:
    return csv(*(f"2026-01-31,{line}" for line in lines), header=WITH_WALLET)


def refusals(row: Import) -> list[tuple[int, str, str]]:
    return [(error["line"], error["column"], error["code"]) for error in row.errors]


def test_rows_move_the_wallets_that_they_name(ada: ApiClient, main: Wallet) -> None:
    other = wallet(main.user, "=other")

    row = imported(ada, rows("4,debit,main,", "6,debit,main,", "3,credit,'=other,", "9,debit,,"))

    assert (row.rows_created, row.errors) == (4, [])
    assert (held(main), held(other)) == ({"USD": Decimal(0)}, {"USD": Decimal(3)})
    assert_balanced(main.user)
    assert_exact(main.user)


def test_what_does_not_fit_is_refused_by_line(ada: ApiClient, main: Wallet) -> None:
    ended = wallet(main.user, "ended", USD="0")
    close_wallet(wallet=ended)
    lines = ["4,debit,main,a", "7,debit,main,b", "1,credit,nobodys,c", "6,debit,main,d"]
    lines += ["1,debit,main,e", "1,credit,main,f", "1,debit,main,a", "1,credit,ended,g"]

    row = imported(ada, rows(*lines))

    assert refusals(row) == [
        (3, "wallet", "insufficient-funds"),
        (4, "wallet", "unknown-wallet"),
        (6, "wallet", "insufficient-funds"),
        (8, "external_id", "external-id-taken"),
        (9, "wallet", "unknown-wallet"),
    ]
    assert (row.rows_read, row.rows_created, row.rows_refused) == (8, 3, 5)
    assert held(main) == {"USD": Decimal(1)}
    assert_balanced(main.user)
    assert_exact(main.user)


def test_the_same_file_again_moves_nothing_twice(ada: ApiClient, main: Wallet) -> None:
    content = rows("4,debit,main,a", "1,credit,main,b")
    imported(ada, content)

    again = imported(ada, content)

    assert (again.rows_created, again.rows_refused) == (0, 2)
    assert held(main) == {"USD": Decimal(7)}


def test_a_withdrawal_in_between_is_counted_with(ada: ApiClient, main: Wallet) -> None:
    mine = claimed(submitted(ada, rows("6,debit,main,", "4,debit,main,")))
    withdraw = partial(
        record,
        main.user,
        wallet_id=main.pk,
        transaction_type="debit",
        transaction_amount=Decimal(5),
    )

    overtaken(call=partial(running.run, mine, must_stop=lambda: False), by=withdraw)

    assert refusals(Import.objects.get()) == [(2, "wallet", "insufficient-funds")]
    assert held(main) == {"USD": Decimal(1)}
    assert_balanced(main.user)


def test_a_wallet_that_is_closed_meanwhile_takes_no_row(ada: ApiClient) -> None:
    assert ada.user
    ending = wallet(ada.user, "ending", USD="0")
    mine = claimed(submitted(ada, rows("6,credit,ending,", "4,credit,,")))

    overtaken(
        call=partial(running.run, mine, must_stop=lambda: False),
        by=partial(close_wallet, wallet=ending),
    )

    assert refusals(Import.objects.get()) == [(2, "wallet", "wallet-closed")]
    assert Transaction.objects.count() == 1


def test_an_export_of_a_wallet_is_refused_where_there_is_no_such_wallet(
    ada: ApiClient, ben: ApiClient, main: Wallet
) -> None:
    record(main.user, wallet_id=main.pk)
    exports = {
        form: given_to(ben, ada.get("/transactions/export", format=form).getvalue(), ada)
        for form in ("csv", "ndjson")
    }

    for content in exports.values():
        row = imported(ben, content)
        ((_, *why),) = refusals(row)
        assert (row.rows_created, why) == (0, ["wallet", "unknown-wallet"])
    assert ben.user
    theirs = wallet(ben.user)
    for content in exports.values():
        assert imported(ben, content).rows_created == 1
    assert held(theirs) == {"USD": Decimal(20)}
