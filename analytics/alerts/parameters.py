"""The parameters of rules, which staff set: typed, bounded, and stored in JSON without floats."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from decimal import Decimal
from typing import Any

from fido.lib.values import money


class InvalidParameters(ValueError):
    """`errors` has messages by the parameter's name."""

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__("; ".join(f"{name}: {error}" for name, error in errors.items()))
        self.errors = errors


class Parameter(ABC):
    """A type of value: its valid values, and their form in JSON."""

    meaning: str

    @abstractmethod
    def parse(self, value: object) -> Any:
        """Raise ValueError, with a message that says what is valid."""

    def as_json(self, value: Any) -> Any:
        return value


@dataclass(frozen=True)
class Whole(Parameter):
    """A whole number in a range that includes both ends."""

    least: int
    most: int

    @property
    def meaning(self) -> str:  # type: ignore[override]
        return f"a whole number from {self.least:,} to {self.most:,}"

    def parse(self, value: object) -> int:
        if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value, re.ASCII):
            value = int(value)
        if type(value) is not int or not self.least <= value <= self.most:
            raise ValueError(f"It must be {self.meaning}.")
        return value


class Choice(Parameter):
    """One of some words."""

    def __init__(self, *words: str) -> None:
        self.words = words
        self.meaning = f"one of {', '.join(words)}"

    def parse(self, value: object) -> str:
        for word in self.words:
            if value == word:
                return word
        raise ValueError(f"It is {self.meaning}.")


class Amount(Parameter):
    """An exact amount of money; a string in JSON."""

    meaning = 'an amount above zero, such as "100.00"'

    def parse(self, value: object) -> Decimal:
        try:
            amount = money.parse(value)
        except money.MalformedAmount as error:
            raise ValueError(str(error)) from None
        exponent = amount.as_tuple().exponent
        if not isinstance(exponent, int) or -exponent > money.MAX_DECIMALS:
            raise ValueError(f"At most {money.MAX_DECIMALS} decimals.")
        return amount

    def as_json(self, value: Decimal) -> str:
        return f"{value:f}"


def parameter(kind: Parameter, default: Any) -> Any:
    """A field of a rule's class that staff may set."""
    return field(default=default, metadata={"parameter": kind})


def declared(cls: type[Any]) -> dict[str, Parameter]:
    """The parameters of a rule's class, by name, in order."""
    return {each.name: each.metadata["parameter"] for each in fields(cls)}


def read(cls: type[Any], given: object) -> dict[str, Any]:
    """The checked values of the given parameters; the class supplies defaults for the others.

    Raises:
        InvalidParameters: with all errors.
    """
    if not isinstance(given, Mapping):
        raise InvalidParameters({"parameters": 'They must be a JSON object, such as {"count": 3}.'})
    known, errors, values = declared(cls), {}, {}
    for name, value in given.items():
        if name not in known:
            errors[str(name)] = f"Unknown. Valid names: {', '.join(known)}."
            continue
        try:
            values[name] = known[name].parse(value)
        except ValueError as error:
            errors[name] = str(error)
    if errors:
        raise InvalidParameters(errors)
    return values


def written(row: Any) -> dict[str, Any]:
    """All parameters of a rule, in stored form."""
    return {name: kind.as_json(getattr(row, name)) for name, kind in declared(type(row)).items()}


def defaults(cls: type[Any]) -> dict[str, Any]:
    """The default of each parameter, in stored form."""
    return {each.name: _default(each) for each in fields(cls)}


def _default(each: Field[Any]) -> Any:
    assert each.default is not MISSING
    return each.metadata["parameter"].as_json(each.default)
