"""A thousand concurrent movements of every kind: no balance is ever wrong or below zero."""

import random
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connections

from accounts.models import User
from accounts.wallets import movements
from accounts.wallets.models import Balance, Wallet
from accounts.wallets.operations import WalletHoldsMoney, close_wallet, touch_open
from fido.lib.values.errors import DomainError
from tests.client import ApiClient
from tests.factories import DraftFactory, UserFactory, record, wallet
from tests.movements import assert_exact
from tests.races import and_disconnect, at_once, wait_until, waiting_for_locks
from tests.wallets import assert_balanced, held
from transactions import operations, queries
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
THREADS, STEPS = 8, 1000
CURRENCIES = ["USD", "EUR"]


class Mover:
    """Random writes of one user, over several wallets; each may be refused, but none may fail."""

    def __init__(self, user: User, wallets: list[Wallet], seed: int) -> None:
        self.user, self.wallets, self.random = user, wallets, random.Random(seed)
        self.client = ApiClient(user)
        self.done: Counter[str] = Counter()

    def step(self) -> None:
        kinds = (self.create, self.edit, self.delete, self.funds, self.bulk)
        kind = self.random.choices(kinds, weights=(30, 30, 10, 20, 10))[0]
        try:
            kind()
            self.done[kind.__name__] += 1
        except DomainError as refusal:
            self.done[refusal.code] += 1

    def fields(self) -> dict[str, Any]:
        return {
            "transaction_amount": Decimal(self.random.randrange(1, 3000)).scaleb(-2),
            "transaction_type": self.random.choice(["credit", "debit", "debit"]),
            "currency": self.random.choice(CURRENCIES),
            "wallet_id": self.random.choice([*(each.pk for each in self.wallets), None]),
        }

    def create(self) -> None:
        record(self.user, **self.fields())

    def edit(self) -> None:
        fields = self.fields()
        some = self.random.sample(sorted(fields), k=self.random.randrange(1, 5))
        if row := self.any_row():
            operations.amend(row=row, changes={name: fields[name] for name in some})

    def delete(self) -> None:
        if row := self.any_row():
            operations.delete(row=row)

    def funds(self) -> None:
        path = f"/wallets/{self.random.choice(self.wallets).name}/currencies/USD/funds"
        amount = self.random.choice([-1, 1]) * self.random.randrange(1, 3000)
        answer = self.client.post(path, {"amount": str(Decimal(amount).scaleb(-2))})
        assert answer.status_code in (201, 409), answer.content

    def bulk(self) -> None:
        drafts = [DraftFactory.build(**self.fields()) for _ in range(5)]
        atomic = self.random.random() < 0.5
        operations.record_many(owner=self.user, drafts=drafts, atomic=atomic)

    def any_row(self) -> Transaction | None:
        # Only a few, so that concurrent writes hit the same ones.
        rows = list(Transaction.objects.filter(user_id=self.user.pk).order_by("-id")[:20])
        return self.random.choice(rows) if rows else None


class Looks(threading.Thread):
    """Compares balances and transactions in one snapshot, without pause."""

    def __init__(self, user: User) -> None:
        super().__init__(daemon=True)
        self.user, self.stop, self.found, self.looks = user, threading.Event(), list[Any](), 0

    def run(self) -> None:
        try:
            while not self.stop.is_set():
                self.found += queries.balance_differences([self.user.pk])
                self.found += Balance.objects.filter(user_id=self.user.pk, amount__lt=0)
                self.looks += 1
        finally:
            connections.close_all()


def test_a_thousand_movements_at_once_leave_every_balance_right() -> None:
    user = UserFactory.create()
    wallets = [wallet(user, name, USD="100.00") for name in ("a", "b", "c")]
    movers = [Mover(user, wallets, seed) for seed in range(THREADS)]

    def run(mover: Mover) -> None:
        try:
            for _ in range(STEPS // THREADS):
                mover.step()
        finally:
            connections.close_all()

    looks = Looks(user)
    looks.start()
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(run, movers))
    looks.stop.set()
    looks.join()

    done = sum((mover.done for mover in movers), Counter())
    assert (looks.found, looks.looks > 10) == ([], True)
    assert queries.balance_differences([user.pk]) == []
    assert_balanced(user)
    assert_exact(user)
    assert all(done[kind] > 10 for kind in ("create", "edit", "delete", "funds", "bulk")), done
    assert done["insufficient-funds"] > 20, done


def test_of_two_withdrawals_of_everything_over_the_api_one_succeeds(ada: ApiClient) -> None:
    assert ada.user
    main = wallet(ada.user, USD="10.00")

    answers = at_once(
        *[partial(ada.post, "/wallets/main/currencies/USD/funds", {"amount": "-10"})] * 4
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    assert held(main) == {"USD": Decimal(0)}
    assert Transaction.objects.count() == 1


def test_a_wallet_is_not_closed_while_a_credit_opens_its_balance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    user = UserFactory.create()
    main = wallet(user)
    with ThreadPoolExecutor(1) as pool:

        def touched_and_then_closed(user_id: int, wallet_id: Any) -> None:
            touch_open(user_id, wallet_id)
            closing.append(pool.submit(and_disconnect, partial(close_wallet, wallet=main)))
            wait_until(lambda: closing[0].done() or waiting_for_locks() == 1)

        closing = list[Any]()
        monkeypatch.setattr(movements, "touch_open", touched_and_then_closed)
        record(user, wallet_id=main.pk, transaction_amount=Decimal(5), currency="USD")

        with pytest.raises(WalletHoldsMoney):
            closing[0].result()
    assert held(main) == {"USD": Decimal(5)}
    assert Wallet.objects.get().closed_at is None
