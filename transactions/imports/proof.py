"""Whether the entries of a bank's file add up to what the bank says that the account held."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from fido.lib.values import money
from transactions.statements.items import Account, Balance, Entry, Item, Moment, Pending

# A file of many years has a statement for each day.
MAX_WARNINGS = MAX_BALANCES = 100


@dataclass
class _Statement:
    number: int
    balances: dict[Moment, Balance] = field(default_factory=dict)
    moved: Decimal = money.ZERO
    currencies: set[str | None] = field(default_factory=set)


@dataclass
class Proof:
    """`pending` counts the entries that are left out because they are not booked yet.

    `balances` are those of each statement: what it says that the account held.
    """

    pending: int = 0
    balances: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    _current: _Statement = field(default_factory=lambda: _Statement(1))

    def note(self, item: Item) -> None:
        current = self._current
        if isinstance(item, Account):
            self._turn_over(only_if_used=True)
        elif isinstance(item, Balance):
            if item.moment in current.balances:
                self._turn_over()
            self._current.balances[item.moment] = item
        elif isinstance(item, Entry):
            current.moved = money.added(current.moved, item.amount)
            current.currencies.add(item.currency)
        elif isinstance(item, Pending):
            self.pending += 1

    def finish(self) -> None:
        self._turn_over()

    def _turn_over(self, *, only_if_used: bool = False) -> None:
        current = self._current
        if only_if_used and not (current.balances or current.currencies):
            return
        self._keep(current)
        if difference := _difference(current):
            self._warn(current.number, *difference)
        self._current = _Statement(current.number + 1)

    def _keep(self, statement: _Statement) -> None:
        if statement.balances and len(self.balances) < MAX_BALANCES:
            self.balances += [
                {
                    "statement": statement.number,
                    "moment": moment.value,
                    "amount": f"{balance.amount:f}",
                    "currency": balance.currency,
                }
                for moment, balance in sorted(statement.balances.items(), reverse=True)
            ]

    def _warn(self, number: int, difference: Decimal, currency: str) -> None:
        if len(self.warnings) < MAX_WARNINGS:
            amount = f"{difference.normalize():f}"
            detail = (
                f"Statement {number}: its closing balance is {amount} {currency} away from its"
                " opening balance and entries."
            )
            warning = {"code": "balance-differs", "statement": number, "detail": detail}
            self.warnings.append(warning | {"difference": amount, "currency": currency})


def _difference(statement: _Statement) -> tuple[Decimal, str] | None:
    """What the closing balance has more than the others; None: nothing, or nobody can tell."""
    if len(statement.balances) < len(Moment):
        return None
    opening, closing = (statement.balances[moment] for moment in Moment)
    currencies = statement.currencies | {opening.currency, closing.currency}
    if len(currencies) != 1 or closing.currency is None:
        return None
    expected = money.added(opening.amount, statement.moved)
    difference = money.added(closing.amount, expected.copy_negate())
    return (difference, closing.currency) if difference else None
