"""The demonstration: two years in the lives of five people.

Everything follows from the seed and the end, so the same end gives the same transactions. Nobody
lives in the default currency: there the contract's rules apply, which raise an alert on every rent,
and whoever tries them finds no movements but their own.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from random import Random
from uuid import UUID

from fido.lib.values import clock
from transactions.demo import lives
from transactions.operations import Draft

SEED = 1815
DAYS = 730


@dataclass(frozen=True)
class Person:
    """`wallets` are opened with these sums, by currency; what has a wallet's name as its category
    is moved there.
    """

    username: str
    full_name: str
    currency: str
    life: Callable[[Random, list[date]], Iterator[Draft]]
    wallets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


PEOPLE = (
    # Only one currency, so that the first answer a newcomer sees has all its amounts in one.
    Person("ada", "Ada Lovelace", "GBP", lives.ada, {lives.SAVINGS: {"GBP": "1200.00"}}),
    Person(
        "grace", "Grace Hopper", "EUR", lives.grace, {lives.TAXES: {"EUR": "850.00", "CHF": "0"}}
    ),
    Person("alan", "Alan Turing", "GBP", lives.alan),
    Person("emmy", "Emmy Noether", "EUR", lives.emmy, {lives.TILL: {"EUR": "300.00"}}),
    Person("katherine", "Katherine Johnson", "EUR", lives.katherine),
)


def history(
    person: Person, until: datetime, wallets: Mapping[str, UUID] | None = None
) -> list[Draft]:
    """A person's transactions in the two years up to a moment, in order of time.

    `wallets` has the ids of the person's wallets, by name.
    """
    random = Random(f"{SEED} {person.username}")  # noqa: S311 - repeatable is what it must be
    days = [until.date() - timedelta(days=ago) for ago in reversed(range(DAYS))]
    first = clock.midnight(days[0])
    past = [each for each in person.life(random, days) if first <= each.transaction_date <= until]
    past.sort(key=lambda draft: draft.transaction_date)
    ids = wallets or {}
    return [
        replace(
            draft,
            full_name=draft.full_name or person.full_name,
            wallet_id=ids.get(draft.category or ""),
        )
        for draft in past
    ]
