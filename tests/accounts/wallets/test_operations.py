"""Wallets are opened, renamed and closed, and their balances moved, also concurrently."""

from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from accounts.models import User
from accounts.wallets import movements, operations
from accounts.wallets.models import Balance, Wallet
from accounts.wallets.movements import BalanceTooLarge, InsufficientFunds, Movement
from accounts.wallets.operations import WalletClosed, WalletHoldsMoney
from fido.lib.values.errors import NotFound, PreconditionFailed
from tests.factories import UserFactory, wallet
from tests.races import at_once, overtaken
from tests.wallets import held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="ada")


@pytest.fixture
def main(user: User) -> Wallet:
    return wallet(user, USD="10.00")


def moving(wallet: Wallet, amount: str, currency: str = "USD") -> Any:
    deltas = {(wallet.pk, currency): Decimal(amount)}
    return partial(movements.move, user_id=wallet.user_id, deltas=deltas)


def outcome(call: Any) -> str:
    """The code of its refusal, or ""."""
    try:
        call()
    except (InsufficientFunds, WalletClosed, WalletHoldsMoney, NotFound, BalanceTooLarge) as error:
        return error.code
    return ""


def test_a_balance_is_moved_up_and_down_to_nothing(main: Wallet) -> None:
    moving(main, "5.25")()
    moving(main, "-15.25")()

    assert held(main) == {"USD": Decimal("0.00")}


def test_more_than_there_is_is_refused(main: Wallet) -> None:
    with pytest.raises(InsufficientFunds):
        moving(main, "-10.01")()

    assert held(main) == {"USD": Decimal(10)}


def test_a_balance_has_no_more_digits_than_an_amount(user: User) -> None:
    full = wallet(user, USD="999999999999999.99")

    with pytest.raises(BalanceTooLarge):
        moving(full, "0.01")()

    assert held(full) == {"USD": Decimal("999999999999999.99")}


def test_a_credit_opens_a_currency_and_a_debit_does_not(main: Wallet) -> None:
    with pytest.raises(InsufficientFunds):
        moving(main, "-1", "EUR")()
    assert held(main) == {"USD": Decimal(10)}

    moving(main, "7", "EUR")()

    assert held(main) == {"USD": Decimal(10), "EUR": Decimal(7)}
    assert Balance.objects.get(currency="EUR").opening == 0
    main.refresh_from_db()
    assert main.version == 3  # each currency is a write to the wallet


def test_several_balances_are_moved_together_or_not_at_all(user: User, main: Wallet) -> None:
    other = wallet(user, "other")
    deltas = {(main.pk, "USD"): Decimal(-11), (other.pk, "USD"): Decimal(11)}

    with pytest.raises(InsufficientFunds), transaction.atomic():
        movements.move(user_id=user.pk, deltas=deltas)

    assert (held(main), held(other)) == ({"USD": Decimal(10)}, {})


def test_a_wallet_that_holds_money_is_not_closed(main: Wallet) -> None:
    with pytest.raises(WalletHoldsMoney):
        operations.close_wallet(wallet=main)

    main.refresh_from_db()
    assert (main.closed_at, main.version) == (None, 2)
    assert Balance.objects.get().is_open


def test_nothing_moves_in_a_closed_wallet(user: User) -> None:
    gone = wallet(user, USD="0")
    operations.close_wallet(wallet=gone)

    for call in (moving(gone, "1"), moving(gone, "-1"), moving(gone, "1", "EUR")):
        assert outcome(call) == "wallet-closed"
    assert outcome(moving(gone, "-1", "EUR")) == "wallet-closed"
    with pytest.raises(WalletClosed):
        operations.open_balance(wallet=gone, currency="EUR")
    with pytest.raises(NotFound):
        operations.rename_wallet(wallet=gone, name="x")
    with pytest.raises(NotFound):
        operations.close_wallet(wallet=gone)
    assert held(gone) == {"USD": Decimal(0)}


def test_movements_are_settled_one_after_another(main: Wallet) -> None:
    steps = ["-4", "-7", "2", "-8", "-0.01"]
    moves = [Movement((main.pk, "USD"), Decimal(step)) for step in steps]
    moves.append(Movement((main.pk, "EUR"), Decimal(-1)))
    moves.append(Movement((main.pk, "EUR"), Decimal(3)))

    with transaction.atomic():
        refused = movements.settle(user_id=main.user_id, movements=moves)

    assert {place: error.code for place, error in refused.items()} == dict.fromkeys(
        (1, 4, 5), "insufficient-funds"
    )
    assert held(main) == {"USD": Decimal(0), "EUR": Decimal(3)}


def test_of_a_closed_wallet_no_movement_is_settled(user: User, main: Wallet) -> None:
    gone = wallet(user, "gone", USD="0")
    operations.close_wallet(wallet=gone)
    keys = [(gone.pk, "USD"), (gone.pk, "EUR"), (main.pk, "USD")]

    with transaction.atomic():
        refused = movements.settle(
            user_id=user.pk, movements=[Movement(key, Decimal(1)) for key in keys]
        )

    assert {place: error.code for place, error in refused.items()} == dict.fromkeys(
        (0, 1), "wallet-closed"
    )
    assert held(main) == {"USD": Decimal(11)}


def test_of_two_withdrawals_of_everything_exactly_one_succeeds_two_hundred_times(
    user: User,
) -> None:
    for number in range(200):
        one = wallet(user, f"w{number}", USD="10.00")

        outcomes = at_once(*[partial(outcome, moving(one, "-10.00"))] * 2)

        assert sorted(outcomes) == ["", "insufficient-funds"]
        assert held(one) == {"USD": Decimal(0)}


def test_a_withdrawal_waits_for_another_and_then_finds_nothing(main: Wallet) -> None:
    late = overtaken(call=partial(outcome, moving(main, "-10")), by=moving(main, "-1"))

    assert (late, held(main)) == ("insufficient-funds", {"USD": Decimal(9)})


def test_a_closing_waits_for_a_deposit_and_is_then_refused(user: User) -> None:
    empty = wallet(user, USD="0")

    late = overtaken(
        call=partial(outcome, partial(operations.close_wallet, wallet=empty)), by=moving(empty, "1")
    )

    empty.refresh_from_db()
    assert (late, empty.closed_at) == ("wallet-holds-money", None)


@pytest.mark.parametrize("currency", ["USD", "EUR"])
def test_a_deposit_waits_for_a_closing_and_is_then_refused(user: User, currency: str) -> None:
    empty = wallet(user, USD="0")

    late = overtaken(
        call=partial(outcome, moving(empty, "1", currency)),
        by=partial(operations.close_wallet, wallet=empty),
    )

    assert (late, held(empty)) == ("wallet-closed", {"USD": Decimal(0)})


def test_a_currency_that_is_opened_meanwhile_keeps_a_wallet_open(user: User) -> None:
    empty = wallet(user)

    late = overtaken(
        call=partial(outcome, partial(operations.close_wallet, wallet=empty)),
        by=moving(empty, "1", "EUR"),
    )

    assert (late, held(empty)) == ("wallet-holds-money", {"EUR": Decimal(1)})


def test_two_first_credits_of_a_currency_both_count(main: Wallet) -> None:
    at_once(*[moving(main, "1", "EUR")] * 4)

    assert held(main)["EUR"] == 4


def test_a_name_is_given_once(user: User) -> None:
    outcomes = at_once(*[partial(created, user)] * 4)

    assert sorted(outcomes) == ["", "taken", "taken", "taken"]


def created(user: User) -> str:
    try:
        operations.create_wallet(user_id=user.pk, name="main")
    except operations.WalletTaken as error:
        return str(error.extra["errors"][0]["code"])
    return ""


@pytest.mark.parametrize("write", [operations.close_wallet, operations.rename_wallet])
def test_what_was_to_be_changed_only_as_it_was_is_left_alone(user: User, write: Any) -> None:
    seen = wallet(user)
    operations.open_balance(wallet=seen, currency="USD")
    name = {"name": "x"} if write is operations.rename_wallet else {}

    with pytest.raises(PreconditionFailed):
        write(wallet=seen, if_unchanged=True, **name)

    assert Wallet.objects.get(closed_at=None).name == "main"
