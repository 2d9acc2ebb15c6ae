"""Five lives that differ. Each is given its days, the last of them today, and its own chance.

Where something happens at night or by day does not matter to a person's totals, but it does to the
rules of `analytics.alerts.demo`, which are to find what a person would want to look at.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from random import Random

from transactions.demo.movements import (
    WEEKEND,
    WORKING_DAYS,
    Habit,
    bought,
    hour,
    monthly,
    moved,
    price,
    salaries,
)
from transactions.operations import Draft

# What is moved in a wallet, by its category: the wallet has the category's name.
SAVINGS, TAXES, TILL = "savings", "taxes", "till"

GROCERIES = Habit(("Groceries", "Market", "Bakery"), "groceries", 6, 96, chance=0.28)
EVERYDAY = Habit(("Coffee", "Lunch", "Bus"), "everyday", 2, 18, chance=0.16, weekdays=WORKING_DAYS)
OUT = Habit(
    ("Dinner out", "Cinema", "Concert", "Museum"), "going out", 9, 120, 0.45, weekdays=WEEKEND
)
SHOPPING = Habit(("Clothes", "Books", "Garden"), "shopping", 15, 260, chance=0.05, refunded=0.2)
CHEAP = Habit(("Groceries", "Noodles", "Canteen", "Bus"), "everyday", 2, 24, chance=0.4)
EVENINGS = Habit(("Pub", "Cinema", "Chess club"), "going out", 4, 35, 0.4, weekdays=WEEKEND)
MATERIAL = Habit(("Train", "Software", "Office", "Lunch"), "business", 8, 190, chance=0.2)


def ago(count: int, days: list[date]) -> date:
    """So many days before the last one."""
    return days[-1] - timedelta(days=count)


def ada(random: Random, days: list[date]) -> Iterator[Draft]:
    """A salary, a rent, something put aside each month, and a new flat."""
    sterling = {"currency": "GBP"}
    yield from salaries(days, 4300, "GBP", "Analytical Engines Ltd")
    landlord = "Charles Babbage"
    yield from monthly(
        days, 1, lambda at: moved(at, -1250, "Rent", "housing", who=landlord, **sterling)
    )
    for what, amount, of_month in (("Music", "10.99", 5), ("Newspaper", "17.00", 12)):
        for day in days:
            if day.day == of_month:
                yield moved(hour(day, 3), f"-{amount}", what, "subscriptions", **sterling)
    yield from monthly(days, 27, lambda at: moved(at, -250, "To savings", "transfers", **sterling))
    yield from monthly(days, 27, lambda at: moved(at, 250, "Put aside", SAVINGS, **sterling))
    yield from bought(random, days, (GROCERIES, EVERYDAY, OUT, SHOPPING), "GBP")
    yield moved(hour(ago(39, days), 11), -1875, "Deposit for a flat", "housing", **sterling)


CLIENTS = (
    # Who, in which currency, and what an invoice comes to.
    ("Navy Bureau", "EUR", 900, 2400),
    ("Remington & Rand", "EUR", 600, 1800),
    ("Zürcher Rechenzentrum", "CHF", 1200, 2300),
)


def grace(random: Random, days: list[date]) -> Iterator[Draft]:
    """A freelancer: invoices in two currencies, no salary, and a part put aside for taxes."""
    for day in days:
        for place, (who, currency, least, most) in enumerate(CLIENTS):
            if day.weekday() in WORKING_DAYS and random.random() < 0.06:
                paid, at = price(random, least, most, currency), hour(day, 9 + 2 * place)
                yield moved(at, paid, "Invoice", "income", currency=currency, who=who)
                aside = (paid / 4).quantize(Decimal("0.01"))
                later = at + timedelta(minutes=5)
                yield moved(later, -aside, "For taxes", "transfers", currency=currency)
                yield moved(later, aside, "A quarter", TAXES, currency=currency)
    yield from monthly(
        days, 3, lambda at: moved(at, -980, "Rent", "housing", currency="EUR", who="Howard Aiken")
    )
    yield from bought(random, days, (GROCERIES, MATERIAL, OUT), "EUR")
    yield moved(hour(ago(74, days), 15), "-2749.00", "Laptop", "business", currency="EUR")


def alan(random: Random, days: list[date]) -> Iterator[Draft]:
    """A student: little money, many small movements, and one evening at a festival."""
    pounds = {"currency": "GBP"}
    yield from monthly(days, 1, lambda at: moved(at, 600, "From home", "income", **pounds))
    for day in days:
        if day.weekday() == 4:
            wage = price(random, 80, 140, "GBP")
            yield moved(hour(day, 17), wage, "Wages", "income", who="The Crown", **pounds)
    hall = "Max Newman"
    yield from monthly(days, 2, lambda at: moved(at, -450, "Room", "housing", who=hall, **pounds))
    yield from bought(random, days, (CHEAP, EVENINGS), "GBP")
    evening = hour(ago(29, days), 20)
    for minute, what in enumerate(("Ticket", "Burger", "Drinks", "Drinks", "T-shirt", "Drinks")):
        at = evening + timedelta(minutes=minute)
        yield moved(at, -(6 + 3 * minute), what, "going out", who="Festival", **pounds)


def emmy(random: Random, days: list[date]) -> Iterator[Draft]:
    """A shopkeeper: takings twice a week, suppliers, wages, taxes, and a new oven."""
    euros = {"currency": "EUR"}
    for day in days:
        if day.weekday() in (1, 4):
            taken = price(random, 700, 1900, "EUR")
            yield moved(hour(day, 20), taken, "Card takings", "takings", **euros)
        if day.weekday() == 0:
            paid, who = (
                price(random, 300, 1300, "EUR"),
                random.choice(("Mill", "Dairy", "Roastery")),
            )
            yield moved(hour(day, 10), -paid, "Supplies", "supplies", who=who, **euros)
        if day.weekday() == 5:
            cash = price(random, 40, 260, "EUR")
            yield moved(hour(day, 21), cash, "Cash takings", TILL, **euros)
        if day.month in (3, 9) and day.day == 10:
            yield moved(hour(day, 9), -1840, "Trade tax", "tax", **euros)
    shop = "Felix Klein"
    yield from monthly(days, 1, lambda at: moved(at, -1450, "Shop", "rent", who=shop, **euros))
    yield from monthly(days, 28, lambda at: moved(at, -1900, "Wages", "wages", **euros))
    yield moved(hour(ago(59, days), 14), -4860, "Oven", "equipment", who="Ofenbau Krüger", **euros)
    yield moved(hour(ago(58, days), 14), -2950, "Fitting the oven", "equipment", **euros)
    for second in (0, 20):  # the terminal's bank paid out the same day twice
        at = hour(ago(11, days), 22) + timedelta(seconds=second)
        yield moved(at, "1912.40", "Card takings, festival", "takings", **euros)


# Minutes after two in the morning, and what was taken: first a trial, then all that was left.
STOLEN = (
    *((7, "1.00"), (8, "1.00"), (9, "240.00"), (10, "380.00"), (11, "499.00")),
    *((12, "499.00"), (13, "620.00"), (15, "2890.00"), (16, "3150.00")),
)


def katherine(random: Random, days: list[date]) -> Iterator[Draft]:
    """A salary and a rent; and one night on which somebody else had the card."""
    euros = {"currency": "EUR"}
    yield from salaries(days, 3200, "EUR", "Langley Research")
    rent = "Dorothy Vaughan"
    yield from monthly(days, 1, lambda at: moved(at, -1100, "Rent", "housing", who=rent, **euros))
    yield from monthly(days, 14, lambda at: moved(at, "-24.90", "Piano", "subscriptions", **euros))
    yield from bought(random, days, (GROCERIES, EVERYDAY, OUT, SHOPPING), "EUR")
    night = hour(ago(18, days), 2)
    for minute, amount in STOLEN:
        at = night + timedelta(minutes=minute)
        yield moved(at, f"-{amount}", "Online shop", "unknown", who="QX Trading", **euros)
    back, taken = hour(ago(12, days), 9), sum(Decimal(amount) for _, amount in STOLEN)
    yield moved(back, taken, "Chargeback by the bank", "refunds", **euros)
