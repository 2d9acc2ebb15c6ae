"""Concurrent writers of wallets wait for each other in one order, so there is no deadlock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial

import pytest
from django.db import connection, transaction

from accounts.models import User
from accounts.wallets import operations, queries
from accounts.wallets.models import Balance, Wallet
from accounts.wallets.operations import WalletHoldsMoney, WalletTaken
from tests.factories import DraftFactory, UserFactory, wallet
from tests.races import DEADLINE_SECONDS, and_disconnect, wait_until, waiting_for_locks
from tests.wallets import assert_balanced, held
from transactions.operations import record_many

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="ada")


def test_a_closing_and_a_bulk_of_credits_lock_balances_in_one_order(user: User) -> None:
    # On disk in an order other than by currency, in which a plain read returns them.
    empty = wallet(user, USD="0", JPY="0", EUR="0")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE wallets_balance")
    drafts = [
        DraftFactory.build(wallet_id=empty.pk, currency=currency, transaction_amount=Decimal(1))
        for currency in ("EUR", "JPY", "USD")
    ]

    with ThreadPoolExecutor(2) as pool:
        with transaction.atomic():  # both wait for this one in the middle
            Balance.objects.filter(user_id=user.pk, currency="JPY").update(opening=0)
            bulk = pool.submit(and_disconnect, partial(record_many, owner=user, drafts=drafts))
            wait_until(lambda: waiting_for_locks() == 1)
            closing = pool.submit(and_disconnect, partial(operations.close_wallet, wallet=empty))
            wait_until(lambda: waiting_for_locks() == 2)
        assert len(bulk.result()) == 3
        assert isinstance(closing.exception(), WalletHoldsMoney)

    assert held(empty) == {"EUR": 1, "JPY": 1, "USD": 1}
    assert_balanced(user)


def test_a_taken_name_is_refused_without_waiting_for_who_has_it(user: User) -> None:
    # Otherwise two wallets that swap names would deadlock.
    mine, other = wallet(user, "mine"), wallet(user, "other")

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        Wallet.objects.filter(user_id=user.pk, id=other.pk).update(name="else")
        rename = partial(operations.rename_wallet, wallet=mine, name="other")
        refused = pool.submit(and_disconnect, rename).exception(DEADLINE_SECONDS)
        transaction.set_rollback(True)

    assert isinstance(refused, WalletTaken)
    assert sorted(queries.open_ids(user.pk)) == ["mine", "other"]


def test_a_wallet_may_get_the_name_that_it_has(user: User) -> None:
    mine = wallet(user, "mine")

    assert operations.rename_wallet(wallet=mine, name="mine").name == "mine"


def test_a_name_that_is_given_up_as_it_refuses_somebody_was_taken(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = wallet(user, "other")
    looks: list[Callable[[], object]] = [
        lambda: None,  # before the other has it, and after it was closed
        partial(operations.close_wallet, wallet=other),
    ]

    def late(user_id: int, name: str) -> Wallet | None:
        looks.pop(0)()
        return None

    monkeypatch.setattr(queries, "open_wallet", late)
    with pytest.raises(WalletTaken):
        operations.create_wallet(user_id=user.pk, name="other")
