"""Strict JSON, used everywhere here: no floats, and no duplicate names."""

import json
from decimal import Decimal
from typing import Any


class NameRepeated(ValueError):
    """With two amounts, nobody could say which one was meant."""


def read_json(text: str) -> Any:
    """Parse JSON; numbers with a point or an exponent become Decimal.

    Raises:
        JSONDecodeError: not JSON.
        NameRepeated: an object has two members of one name.
        ValueError: either of these, or an integer of over 4,300 digits.
        RecursionError, ArithmeticError: nested too deep, an exponent out of range.
    """
    return json.loads(
        text,
        parse_float=Decimal,
        parse_constant=_refuse_constant,
        object_pairs_hook=_without_repeats,
    )


def json_bytes(data: Any) -> bytes:
    """JSON in the format of answers: compact, in UTF-8, and without NaN.

    Raises:
        TypeError: for anything but text, integers, booleans, None, lists and dicts. A Decimal has
            to be text by now, with its currency's decimals.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # JavaScript, and some JSON readers, treat these characters as line ends.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NameRepeated()
    return members
