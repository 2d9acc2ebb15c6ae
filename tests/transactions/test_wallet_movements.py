"""A transaction in a wallet moves its balance by the difference, or changes nothing at all."""

from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from accounts.models import User
from accounts.wallets import queries
from accounts.wallets.models import Wallet
from accounts.wallets.movements import InsufficientFunds
from accounts.wallets.operations import WalletClosed, close_wallet
from tests.factories import DraftFactory, UserFactory, record, wallet
from tests.movements import assert_exact
from tests.races import overtaken
from tests.wallets import assert_balanced, held
from transactions import operations
from transactions.models import Transaction
from transactions.operations import ExternalIdRepeated

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="ada")


@pytest.fixture
def main(user: User) -> Wallet:
    return wallet(user, USD="10.00")


def credit(wallet: Wallet, amount: str, **fields: Any) -> Transaction:
    return record(wallet.user, wallet_id=wallet.pk, transaction_amount=Decimal(amount), **fields)


def debit(wallet: Wallet, amount: str, **fields: Any) -> Transaction:
    return credit(wallet, amount, transaction_type="debit", **fields)


def everything(user: User) -> Any:
    rows = Transaction.objects.filter(user_id=user.pk).order_by("id")
    return list(rows.values()), list(queries.open_balances(user.pk).values())


def refused(call: Callable[[], object], user: User, error: type[Exception]) -> None:
    """Check that it is refused, and changed neither transactions, totals nor balances."""
    before = everything(user)
    with pytest.raises(error):
        call()
    assert everything(user) == before
    assert_exact(user)
    assert_balanced(user)


def test_recording_moves_the_balance(main: Wallet) -> None:
    credit(main, "2.50")
    debit(main, "12.50")
    credit(main, "3", currency="JPY")

    assert held(main) == {"USD": Decimal(0), "JPY": Decimal(3)}
    assert_balanced(main.user)


def test_a_debit_beyond_the_balance_leaves_no_trace(main: Wallet) -> None:
    refused(partial(debit, main, "10.01"), main.user, InsufficientFunds)
    refused(partial(debit, main, "1", currency="EUR"), main.user, InsufficientFunds)


def test_what_is_in_no_wallet_moves_none(main: Wallet) -> None:
    row = record(main.user, transaction_type="debit", transaction_amount=Decimal(99))
    operations.amend(row=row, changes={"transaction_amount": Decimal(98)})
    operations.delete(row=row)

    assert held(main) == {"USD": Decimal(10)}


# From 10.00 in main with a credit of 5.00, and 1.00 in another wallet.
EDITS: list[tuple[dict[str, Any], dict[str, str], dict[str, str]]] = [
    ({"transaction_amount": Decimal("7.25")}, {"USD": "17.25"}, {"USD": "1"}),
    ({"transaction_amount": Decimal("0.01")}, {"USD": "10.01"}, {"USD": "1"}),
    ({"transaction_type": "debit"}, {"USD": "5"}, {"USD": "1"}),
    ({"currency": "EUR"}, {"USD": "10", "EUR": "5"}, {"USD": "1"}),
    ({"wallet_id": "other"}, {"USD": "10"}, {"USD": "6"}),
    ({"wallet_id": "other", "currency": "EUR"}, {"USD": "10"}, {"USD": "1", "EUR": "5"}),
    ({"wallet_id": None}, {"USD": "10"}, {"USD": "1"}),
    ({"description": "Rent"}, {"USD": "15"}, {"USD": "1"}),
]


@pytest.mark.parametrize(("changes", "in_main", "in_other"), EDITS)
def test_an_edit_moves_the_balances_by_the_difference(
    main: Wallet, changes: dict[str, Any], in_main: dict[str, str], in_other: dict[str, str]
) -> None:
    other = wallet(main.user, "other", USD="1.00")
    row = credit(main, "5.00")
    if changes.get("wallet_id"):
        changes = changes | {"wallet_id": other.pk}

    operations.amend(row=row, changes=changes)

    assert {c: Decimal(a) for c, a in in_main.items()} == held(main)
    assert {c: Decimal(a) for c, a in in_other.items()} == held(other)
    assert_balanced(main.user)
    assert_exact(main.user)


def test_a_transaction_can_be_put_into_a_wallet_later(main: Wallet) -> None:
    row = record(main.user, transaction_type="debit", transaction_amount=Decimal(4))

    operations.amend(row=row, changes={"wallet_id": main.pk})

    assert held(main) == {"USD": Decimal(6)}
    assert_balanced(main.user)


def test_an_edit_beyond_the_balance_changes_nothing(main: Wallet) -> None:
    income = credit(main, "5.00")
    spent = debit(main, "12.00")
    empty = wallet(main.user, "empty")

    edits: list[tuple[Transaction, dict[str, Any]]] = [
        (income, {"transaction_amount": Decimal("1.99")}),
        (income, {"transaction_type": "debit"}),
        (income, {"currency": "EUR"}),
        (income, {"wallet_id": empty.pk}),
        (income, {"wallet_id": None}),
        (spent, {"transaction_amount": Decimal("15.01")}),
        (spent, {"wallet_id": empty.pk}),
        (spent, {"currency": "EUR"}),
    ]
    for row, changes in edits:
        edit = partial(operations.amend, row=row, changes=changes)
        refused(edit, main.user, InsufficientFunds)


def test_deleting_gives_back_or_is_refused(main: Wallet) -> None:
    income, spent = credit(main, "5.00"), debit(main, "12.00")

    refused(partial(operations.delete, row=income), main.user, InsufficientFunds)
    operations.delete(row=spent)
    operations.delete(row=income)

    assert held(main) == {"USD": Decimal(10)}
    assert_balanced(main.user)
    assert_exact(main.user)


def test_what_is_in_a_closed_wallet_is_edited_only_where_no_balance_moves(user: User) -> None:
    gone = wallet(user, USD="0")
    income, spent = credit(gone, "5.00"), debit(gone, "5.00")
    close_wallet(wallet=gone)

    for row in (income, spent):
        edits: list[dict[str, Any]] = [{"transaction_amount": Decimal(6)}, {"wallet_id": None}]
        for changes in edits:
            refused(partial(operations.amend, row=row, changes=changes), user, WalletClosed)
        refused(partial(operations.delete, row=row), user, WalletClosed)
    refused(partial(credit, gone, "1"), user, WalletClosed)
    after = operations.amend(row=income, changes={"description": "Kept"})

    assert after.description == "Kept"
    assert_balanced(user)


def test_an_edit_of_a_row_that_has_changed_meanwhile_moves_the_true_difference(
    main: Wallet,
) -> None:
    row = credit(main, "5.00")

    overtaken(
        call=partial(operations.amend, row=row, changes={"transaction_amount": Decimal(8)}),
        by=partial(operations.amend, row=row, changes={"transaction_amount": Decimal(6)}),
    )

    assert held(main) == {"USD": Decimal(18)}
    assert_balanced(main.user)


def test_two_transfers_between_two_wallets_do_not_wait_in_a_ring(main: Wallet) -> None:
    other = wallet(main.user, "other", USD="10.00")
    there, back = credit(main, "1.00"), credit(other, "1.00")

    overtaken(
        call=partial(operations.amend, row=back, changes={"wallet_id": main.pk}),
        by=partial(operations.amend, row=there, changes={"wallet_id": other.pk}),
    )

    assert (held(main)["USD"], held(other)["USD"]) == (Decimal(11), Decimal(11))


def drafts(main: Wallet, *steps: str, **fields: Any) -> list[operations.Draft]:
    """A draft for each signed amount."""
    return [
        DraftFactory.build(
            wallet_id=main.pk,
            transaction_amount=abs(Decimal(step)),
            transaction_type="debit" if step.startswith("-") else "credit",
            **fields,
        )
        for step in steps
    ]


def test_a_bulk_moves_balances_in_the_order_of_its_rows(main: Wallet) -> None:
    made = operations.record_many(
        owner=main.user, drafts=drafts(main, "-11", "5", "-15", "-1", "2"), atomic=False
    )

    refused = [isinstance(each, InsufficientFunds) for each in made]
    assert refused == [True, False, False, True, False]
    assert held(main) == {"USD": Decimal(2)}
    assert Transaction.objects.filter(user_id=main.user_id).count() == 3
    assert_balanced(main.user)
    assert_exact(main.user)


def test_a_bulk_of_which_a_row_does_not_fit_is_refused_as_a_whole(main: Wallet) -> None:
    def record_all() -> None:
        operations.record_many(owner=main.user, drafts=drafts(main, "1", "-8", "-4", "1"))

    refused(record_all, main.user, InsufficientFunds)
    with pytest.raises(InsufficientFunds) as refusal:
        record_all()
    assert refusal.value.extra == {"index": 2}


def test_in_a_bulk_an_id_is_not_taken_by_a_row_that_was_taken_back(main: Wallet) -> None:
    made = operations.record_many(
        owner=main.user, drafts=drafts(main, "-11", "-1", external_id="a"), atomic=False
    )

    first, second = made
    assert isinstance(first, InsufficientFunds)
    assert isinstance(second, ExternalIdRepeated)
    assert held(main) == {"USD": Decimal(10)}


def test_a_bulk_waits_for_a_withdrawal_and_counts_with_what_is_left(main: Wallet) -> None:
    many = partial(
        operations.record_many, owner=main.user, drafts=drafts(main, "-6", "-4"), atomic=False
    )

    made = overtaken(call=many, by=partial(debit, main, "5.00"))

    assert [isinstance(each, InsufficientFunds) for each in made] == [True, False]
    assert held(main) == {"USD": Decimal(1)}
    assert_balanced(main.user)


def test_what_a_transaction_left_is_told(main: Wallet) -> None:
    (draft,) = drafts(main, "-4")

    row, left = operations.record_in_wallet(owner=main.user, draft=draft)

    assert (row.wallet_id, left) == (main.pk, Decimal(6))
