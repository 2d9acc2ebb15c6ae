"""JSON as everything here reads it: no floats, and no name that stands twice."""

import json
from decimal import Decimal
from typing import Any


def read_json(text: str) -> Any:
    """Numbers with a point or an exponent become Decimal.

    Raises:
        ValueError: it is not JSON, or says something twice; also for integers of over 4,300
            digits. RecursionError, ArithmeticError: nested too deep, an exponent out of range.
    """
    return json.loads(
        text,
        parse_float=Decimal,
        parse_constant=_refuse_constant,
        object_pairs_hook=_without_repeats,
    )


def json_bytes(data: Any) -> bytes:
    """JSON as answers write it: compact, in UTF-8, and without NaN.

    Raises:
        TypeError: for anything but text, integers, booleans, None, lists and dicts. A Decimal is
            text by now, with its currency's decimals.
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Lines end at these in JavaScript, and so in what some take JSON for.
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Of two amounts, which was meant?
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a name stands twice")
    return members
