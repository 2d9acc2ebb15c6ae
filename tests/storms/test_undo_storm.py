"""Imports and their undos, of one's own and for many, while people edit, delete and spend, and the
worker dies.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections
from django.db.models import QuerySet, Sum
from django.db.models.functions import Now

from accounts.models import SERVICE_GROUP
from accounts.wallets.movements import InsufficientFunds
from accounts.wallets.operations import WalletClosed
from analytics import operations as totals
from analytics import queries
from fido.lib.values.errors import NotFound
from tests.client import ApiClient
from tests.factories import UserFactory, record, wallet
from tests.imports import HEADER, csv, present, upload, work
from tests.movements import assert_exact
from tests.races import wait_until
from tests.worker import Worker
from transactions import operations
from transactions import queries as transactions
from transactions.imports import tasks
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]

USERS, SECONDS, KILLS, ROWS = 3, 15.0, 3, 300


class Person:
    """A user with a wallet, and what was done to their transactions."""

    def __init__(self, number: int) -> None:
        self.client = ApiClient(UserFactory.create())
        assert self.client.user
        self.user = self.client.user
        self.wallet = wallet(self.user, USD="1000.00")
        self.chance = random.Random(number)
        self.done: Counter[str] = Counter()

    def import_some(self) -> None:
        """One of three files, whose external ids overlap. Half of their rows are in the wallet."""
        first, chance = self.chance.choice((0, 100, 200)), self.chance
        lines = (
            f"2026-01-{1 + n % 28:02},{1 + n % 7},{chance.choice(('credit', 'debit'))}"
            f",x-{n},{'main' if n % 2 else ''}"
            for n in range(first, first + ROWS)
        )
        answer = upload(self.client, csv(*lines, header=f"{HEADER},external_id,wallet"))
        self.done[f"import {answer.status_code}"] += 1

    def undo_one(self) -> None:
        """Any import, whatever its state is."""
        if rows := list(Import.objects.filter(user_id=self.user.pk).order_by("-id")[:8]):
            row = self.chance.choice(rows)
            answer = self.client.post(f"/imports/{row.pk}/undo")
            self.done[f"undo {answer.status_code}"] += 1

    def edit_one(self) -> None:
        if row := self._any():
            operations.amend(row=row, changes={"transaction_amount": Decimal("2.50")})
            self.done["edited"] += 1

    def delete_one(self) -> None:
        if row := self._any():
            operations.delete(row=row)
            self.done["deleted"] += 1

    def spend(self) -> None:
        amount = Decimal(self.chance.randrange(1, 400))
        kind = self.chance.choice(("credit", "debit"))
        record(
            self.user, wallet_id=self.wallet.pk, transaction_type=kind, transaction_amount=amount
        )
        self.done["recorded"] += 1

    def look(self) -> None:
        assert_exact(self.user)
        assert queries.differences([self.user.pk]) == []
        assert transactions.balance_differences([self.user.pk]) == []
        self.done["looks"] += 1

    def _any(self) -> Transaction | None:
        rows = Transaction.objects.filter(user_id=self.user.pk, external_id__isnull=False)
        return rows.filter(external_id__gte=f"x-{self.chance.randrange(500)}").first()


class Sender(Person):
    """A service that imports for all of these people at once, and has nothing of its own."""

    def __init__(self, number: int, people: list[Person]) -> None:
        super().__init__(number)
        self.people = people
        self.user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])

    def import_some(self) -> None:
        first, chance = self.chance.choice((0, 100, 200)), self.chance
        lines = (
            f"2026-01-{1 + n % 28:02},{1 + n % 7},{chance.choice(('credit', 'debit'))}"
            f",x-{n},{'main' if n % 2 else ''},{chance.choice(self.people).user.pk}"
            for n in range(first, first + ROWS)
        )
        file = csv(*lines, header=f"{HEADER},external_id,wallet,user_id")
        answer = upload(self.client, file, by_user="true")
        self.done[f"import {answer.status_code}"] += 1


def test_imports_and_undos_while_everything_moves_and_workers_die() -> None:
    people = [Person(number) for number in range(USERS)]
    sender = Sender(USERS, people)
    worker = Worker(app="tests.small_batches")
    try:
        with everybody_busy(people, sender):
            for _ in range(KILLS):
                time.sleep(SECONDS / (KILLS + 1))
                worker.kill()
                # It is dead: nobody has to wait until its leases have lapsed.
                held = Import.objects.filter(lease__isnull=False)
                held.update(leased_until=Now() - timedelta(seconds=1))
                worker.start()
                tasks.resume_imports.delay()
            time.sleep(SECONDS / (KILLS + 1))
        unfinished = Import.objects.filter(status__in=Import.UNFINISHED)
        wait_until(lambda: not (unfinished.exists() and tasks.resume_imports.delay()))
    finally:
        worker.stop()

    for person in (*people, sender):
        print(dict(person.done), statuses(person))
    assert sender.done["import 202"] > 3
    assert_counted(people)
    # The sender's last, whose undo finds what the others have left.
    for person in (*people, sender):
        undo_all(person)
    assert_counted(people)
    kept = Import.objects.aggregate(kept=Sum("rows_kept"))["kept"]
    assert imported().count() <= kept
    assert totals.fold_everybody()
    for person in people:
        person.look()


@contextmanager
def everybody_busy(people: list[Person], sender: Sender) -> Iterator[None]:
    """Each person does everything, again and again, in a thread for each kind."""
    over = threading.Event()
    kinds: list[tuple[str, float]] = [
        *(("import_some", 0.8), ("undo_one", 0.4), ("edit_one", 0.1)),
        *(("delete_one", 0.2), ("spend", 0.1), ("look", 0.3)),
    ]

    def go_on(act: Callable[[], Any], pause: float) -> None:
        try:
            while not over.wait(random.uniform(0, 2 * pause)):
                try:
                    act()
                except (NotFound, InsufficientFunds, WalletClosed):
                    continue
        finally:
            connections.close_all()

    everything = [(person, *kind) for person in people for kind in kinds]
    everything += [(sender, *kind) for kind in kinds[:2]]
    with ThreadPoolExecutor(len(everything)) as pool:
        going = [
            pool.submit(go_on, getattr(person, kind), pause) for person, kind, pause in everything
        ]
        try:
            yield
        finally:
            over.set()
    for each in going:
        each.result()


def statuses(person: Person) -> dict[str, int]:
    return Counter(Import.objects.filter(user_id=person.user.pk).values_list("status", flat=True))


def imported() -> QuerySet[Transaction]:
    return Transaction.objects.filter(external_id__isnull=False)


def assert_counted(people: list[Person]) -> None:
    """Each row that was created is there, undone, or deleted by its user; none is twice."""
    sums = Import.objects.aggregate(created=Sum("rows_created"), undone=Sum("rows_undone"))
    deleted = sum(person.done["deleted"] for person in people)
    assert sums["created"] == sums["undone"] + deleted + imported().count()
    for person in people:
        person.look()


def undo_all(person: Person) -> None:
    for row in Import.objects.filter(user_id=person.user.pk):
        person.client.post(f"/imports/{row.pk}/undo")
        work(row.pk, person.user.pk)
        assert present(row.pk).status == "undone"
