"""Dates as a foreign CSV writes them."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

from transactions.statements.values import Malformed

LONGEST = 40
# What a format may be made of. %z is an offset; without one it is UTC.
_LETTERS = frozenset("dmyYbBHMSfzpI%")
_LETTER = re.compile("%(.)", re.DOTALL)
_YEARS, _DAYS = frozenset("yY"), frozenset("d")
_MONTHS = frozenset("mbB")
# A file repeats its days.
REMEMBERED = 4_096


def is_format(text: str) -> bool:
    """Whether it states a year, a month and a day, each once."""
    letters = _LETTER.findall(text)
    once = all(sum(letter in part for letter in letters) == 1 for part in (_YEARS, _MONTHS, _DAYS))
    return once and _LETTERS.issuperset(letters) and not text.replace("%%", "").endswith("%")


def reader(format_: str) -> Callable[[str], datetime]:
    """What turns the text of a date into a moment in UTC.

    It raises Malformed.
    """

    @lru_cache(REMEMBERED)
    def read(text: str) -> datetime:
        try:
            if len(text) > LONGEST or not text.isascii():
                raise ValueError
            moment = datetime.strptime(text, format_)  # noqa: DTZ007
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            raise Malformed("The date does not fit its format.") from None

    return read
