"""What the demonstration's lives are made of: single movements, and habits that repeat."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random

from fido.lib.values import clock, money
from transactions.models import Transaction
from transactions.operations import Draft

SATURDAY = 5
SALARY_DAY = 25
WORKING_DAYS = frozenset(range(SATURDAY))
WEEKEND = frozenset({SATURDAY, SATURDAY + 1})


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


def moved(  # noqa: PLR0913 - what a movement consists of
    at: datetime,
    amount: Decimal | int | str,
    what: str,
    category: str,
    *,
    currency: str,
    who: str | None = None,
) -> Draft:
    """A movement; money goes out where the amount is below zero. `who` is the other side."""
    signed = Decimal(amount)
    kind = Transaction.Type.CREDIT if signed > 0 else Transaction.Type.DEBIT
    return Draft(
        transaction_date=at,
        transaction_amount=abs(signed),
        transaction_type=kind,
        currency=currency,
        description=what,
        full_name=who,
        category=category,
    )


def hour(day: date, hours: float) -> datetime:
    return clock.midnight(day) + timedelta(hours=hours)


def salary_day(month: date) -> date:
    """The 25th, or the last working day before it. Public holidays are ignored."""
    day = month.replace(day=SALARY_DAY)
    return day - timedelta(days=max(0, day.weekday() - SATURDAY + 1))


def monthly(days: list[date], of_month: int, make: Callable[[datetime], Draft]) -> Iterator[Draft]:
    """One on this day of each month."""
    return (make(hour(day, 7)) for day in days if day.day == of_month)


def salaries(days: list[date], amount: int, currency: str, who: str) -> Iterator[Draft]:
    for day in days:
        if day == salary_day(day):
            yield moved(hour(day, 6), amount, "Salary", "income", currency=currency, who=who)


def price(random: Random, cheapest: int, dearest: int, currency: str) -> Decimal:
    """A random price in the currency's smallest unit, so that no rounding is needed."""
    decimals = money.CURRENCIES[currency]
    smallest = random.randint(cheapest * 10**decimals, dearest * 10**decimals)
    return Decimal(smallest).scaleb(-decimals)


def bought(
    random: Random, days: list[date], habits: tuple[Habit, ...], currency: str
) -> Iterator[Draft]:
    """What the habits lead to, with some refunds."""
    for day in days:
        for habit in habits:
            if day.weekday() in habit.weekdays and random.random() < habit.chance:
                paid = price(random, habit.cheapest, habit.dearest, currency)
                at = hour(day, 8) + timedelta(minutes=random.randrange(14 * 60))
                what = random.choice(habit.what)
                purchase = moved(at, -paid, what, habit.category, currency=currency)
                yield purchase
                if random.random() < habit.refunded:
                    yield _refund(purchase, timedelta(days=random.randint(2, 14)))


def _refund(purchase: Draft, after: timedelta) -> Draft:
    return replace(
        purchase,
        transaction_type=Transaction.Type.CREDIT,
        transaction_date=purchase.transaction_date + after,
        description=f"Refund: {purchase.description}",
    )
