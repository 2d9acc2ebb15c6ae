"""The demonstration: five people's income and spending over two years.

Everything follows from the seed and the end, so the same end gives the same transactions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from fido.lib.values import clock, money
from transactions.models import Transaction
from transactions.operations import Draft

SEED = 1815
DAYS = 730
SALARY_DAY = 25
FIRST_SUBSCRIPTION_DAY, DAYS_BETWEEN_SUBSCRIPTIONS = 5, 7
SATURDAY = 5
WORKING_DAYS = frozenset(range(SATURDAY))
WEEKEND = frozenset({SATURDAY, SATURDAY + 1})

CREDIT, DEBIT = Transaction.Type.CREDIT, Transaction.Type.DEBIT


@dataclass(frozen=True)
class Habit:
    """A purchase with a `chance` on each of some weekdays, for a price in whole units."""

    what: tuple[str, ...]
    category: str
    cheapest: int
    dearest: int
    chance: float
    weekdays: frozenset[int] = WORKING_DAYS | WEEKEND
    refunded: float = 0.0


@dataclass(frozen=True)
class Trip:
    """Some days abroad every year, paid for in another currency."""

    place: str
    currency: str
    month: int
    first_day: int
    days: int
    cheapest: int
    dearest: int

    def covers(self, day: date) -> bool:
        return day.month == self.month and 0 <= day.day - self.first_day < self.days


@dataclass(frozen=True)
class Person:
    """Salary and rent are in whole units of the currency per month."""

    username: str
    full_name: str
    currency: str
    salary: int
    rent: int
    landlord: str
    subscriptions: tuple[tuple[str, str], ...]
    trips: tuple[Trip, ...] = ()

    def abroad(self, day: date) -> bool:
        return any(trip.covers(day) for trip in self.trips)


KYOTO = Trip("Kyoto", "JPY", month=4, first_day=3, days=9, cheapest=400, dearest=24_000)
LISBON = Trip("Lisbon", "EUR", month=9, first_day=12, days=7, cheapest=3, dearest=140)

PEOPLE = (
    # Only one currency, so that the first answer a newcomer sees has all its amounts in one.
    Person(
        "ada",
        "Ada Lovelace",
        "USD",
        salary=5200,
        rent=1650,
        landlord="Charles Babbage",
        subscriptions=(("Music", "10.99"), ("Newspaper", "17.00"), ("Gym", "39.50")),
    ),
    Person(
        "grace",
        "Grace Hopper",
        "USD",
        salary=6100,
        rent=1900,
        landlord="Howard Aiken",
        subscriptions=(("Films", "15.49"), ("Cloud storage", "2.99")),
        trips=(KYOTO,),
    ),
    Person(
        "alan",
        "Alan Turing",
        "GBP",
        salary=3400,
        rent=1150,
        landlord="Max Newman",
        subscriptions=(("Running club", "12.00"), ("Chess magazine", "6.75")),
        trips=(LISBON,),
    ),
    Person(
        "emmy",
        "Emmy Noether",
        "EUR",
        salary=3900,
        rent=980,
        landlord="Felix Klein",
        subscriptions=(("Concerts", "24.90"), ("Rail card", "49.00")),
    ),
    Person(
        "katherine",
        "Katherine Johnson",
        "USD",
        salary=4700,
        rent=1400,
        landlord="Dorothy Vaughan",
        subscriptions=(("Music", "10.99"), ("Piano lessons", "85.00")),
        trips=(KYOTO, LISBON),
    ),
)

HABITS = (
    Habit(("Groceries", "Market", "Bakery"), "groceries", 6, 96, chance=0.33),
    Habit(("Coffee", "Lunch", "Bus"), "everyday", 2, 18, chance=0.16, weekdays=WORKING_DAYS),
    Habit(
        ("Dinner out", "Cinema", "Concert", "Drinks with friends", "Museum"),
        "going out",
        9,
        120,
        chance=0.55,
        weekdays=WEEKEND,
    ),
    Habit(
        ("Clothes", "Books", "Garden", "Electronics"),
        "shopping",
        15,
        260,
        chance=0.05,
        refunded=0.2,
    ),
)


def history(person: Person, until: datetime) -> list[Draft]:
    """A person's transactions in the two years up to a moment, in order of time."""
    random = Random(f"{SEED} {person.username}")  # noqa: S311 - repeatable is what it must be
    today = until.date()
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    drafts = [
        *_monthly(person, days),
        *_bought(person, [day for day in days if not person.abroad(day)], random),
        *_abroad(person, days, random),
    ]
    past = [draft for draft in drafts if draft.transaction_date <= until]
    past.sort(key=lambda draft: draft.transaction_date)
    return [
        # The external_id makes a second recording of the same transaction fail.
        replace(draft, full_name=draft.full_name or person.full_name, external_id=f"demo-{number}")
        for number, draft in enumerate(past, start=1)
    ]


def salary_day(month: date) -> date:
    """The 25th, or the last working day before it. Public holidays are ignored."""
    day = month.replace(day=SALARY_DAY)
    return day - timedelta(days=max(0, day.weekday() - SATURDAY + 1))


def _monthly(person: Person, days: list[date]) -> Iterator[Draft]:
    for day in days:
        if day == salary_day(day):
            salary = _draft(
                _hour(day, 6), CREDIT, Decimal(person.salary), person.currency, "Salary"
            )
            yield replace(salary, category="income")
        if day.day == 1:
            rent = _draft(_hour(day, 7), DEBIT, Decimal(person.rent), person.currency, "Rent")
            yield replace(rent, full_name=person.landlord, category="housing")
        for number, (what, price) in enumerate(person.subscriptions):
            if day.day == FIRST_SUBSCRIPTION_DAY + DAYS_BETWEEN_SUBSCRIPTIONS * number:
                due = _draft(_hour(day, 3), DEBIT, Decimal(price), person.currency, what)
                yield replace(due, category="subscriptions")


def _bought(person: Person, days: list[date], random: Random) -> Iterator[Draft]:
    for day in days:
        for habit in HABITS:
            if day.weekday() in habit.weekdays and random.random() < habit.chance:
                price = _price(random, habit.cheapest, habit.dearest, person.currency)
                what = random.choice(habit.what)
                bought = _draft(_daytime(random, day), DEBIT, price, person.currency, what)
                bought = replace(bought, category=habit.category)
                yield bought
                if random.random() < habit.refunded:
                    yield _refund(bought, timedelta(days=random.randint(2, 14)))


def _refund(bought: Draft, after: timedelta) -> Draft:
    return replace(
        bought,
        transaction_type=CREDIT,
        transaction_date=bought.transaction_date + after,
        description=f"Refund: {bought.description}",
    )


def _abroad(person: Person, days: list[date], random: Random) -> Iterator[Draft]:
    for trip in person.trips:
        for day in filter(trip.covers, days):
            for what in random.sample(("Hotel", "Dinner", "Train", "Museum", "Souvenirs"), k=2):
                price = _price(random, trip.cheapest, trip.dearest, trip.currency)
                where = f"{what} in {trip.place}"
                spent = _draft(_daytime(random, day), DEBIT, price, trip.currency, where)
                yield replace(spent, category="travel")


def _draft(moment: datetime, kind: str, amount: Decimal, currency: str, what: str) -> Draft:
    return Draft(
        transaction_date=moment,
        transaction_amount=amount,
        transaction_type=kind,
        currency=currency,
        description=what,
    )


def _price(random: Random, cheapest: int, dearest: int, currency: str) -> Decimal:
    """A random price in the currency's smallest unit, so that no rounding is needed."""
    decimals = money.CURRENCIES[currency]
    smallest = random.randint(cheapest * 10**decimals, dearest * 10**decimals)
    return Decimal(smallest).scaleb(-decimals)


def _hour(day: date, hour: int) -> datetime:
    return clock.midnight(day) + timedelta(hours=hour)


def _daytime(random: Random, day: date) -> datetime:
    return _hour(day, 8) + timedelta(minutes=random.randrange(14 * 60))
