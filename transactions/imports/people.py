"""Splits a file's rows into batches, and each batch by whose rows they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import Protocol

from accounts.models import User
from accounts.wallets import queries as wallets
from transactions.files.columns import OPTIONAL
from transactions.imports.layout import Layout
from transactions.imports.reading import Raw, Record
from transactions.imports.shares import NOBODY, Person, Share, named_user
from transactions.models import recorder

BATCH_ROWS = 5_000
# Each takes a fence and some statements of the batch's database transaction, which must stay far
# below PostgreSQL's limit on its duration.
BATCH_PEOPLE = 500
Batch = list[Share]


class People(Protocol):
    def batches(self, rows: Iterator[Record]) -> Iterator[Batch]:
        """The rows in the order of the file, some thousands at once."""


def people_of(layout: Layout, owner: User, sender_id: int) -> People:
    """Those whose rows the file has: the owner's, or those of the users that each row names."""
    if layout.by_user:
        return _Named(layout, sender_id)
    return _One(_person(owner, wallets.open_ids(owner.pk), sender_id))


class _One:
    def __init__(self, person: Person) -> None:
        self._person = person

    def batches(self, rows: Iterator[Record]) -> Iterator[Batch]:
        while records := list(islice(rows, BATCH_ROWS)):
            yield [Share(self._person, records)]


class _Named:
    def __init__(self, layout: Layout, sender_id: int) -> None:
        self._named, self._sender_id = named_user(layout), sender_id

    def batches(self, rows: Iterator[Record]) -> Iterator[Batch]:
        for by_user in _grouped(rows, self._named):
            people = self._known(by_user.keys() - {None})
            # In one order, so that two writers for the same users do not deadlock.
            named = [Share(people[id_], by_user[id_]) for id_ in sorted(people)]
            nobodys = [each for id_, rows in by_user.items() if id_ not in people for each in rows]
            yield [*named, Share(NOBODY, nobodys)] if nobodys else named

    def _known(self, ids: Collection[int | None]) -> dict[int, Person]:
        users = User.objects.in_bulk([id_ for id_ in ids if id_ is not None])
        found = wallets.open_ids_by_user(users)
        return {
            id_: _person(user, found.get(id_, {}), self._sender_id) for id_, user in users.items()
        }


def _grouped(
    rows: Iterator[Record], named: Callable[[Raw], int | None]
) -> Iterator[dict[int | None, list[Record]]]:
    """As many of the next rows as a batch takes, by the user that they name."""
    batch: dict[int | None, list[Record]] = defaultdict(list)
    count = 0
    for record in rows:
        batch[named(record[1])].append(record)
        count += 1
        if count == BATCH_ROWS or len(batch) == BATCH_PEOPLE:
            yield batch
            batch, count = defaultdict(list), 0
    if batch:
        yield batch


def _person(user: User, open_wallets: Mapping[str, object], sender_id: int) -> Person:
    return Person(
        user_id=user.pk,
        defaults=dict.fromkeys(OPTIONAL) | {"currency": user.currency, "full_name": user.full_name},
        wallets={name: str(id_) for name, id_ in open_wallets.items()},
        recorded_by=recorder(user.pk, sender_id),
    )
