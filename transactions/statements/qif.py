"""QIF: Quicken's old exchange format, as banks still offer it.

Source: Intuit's description of the format; it names no currency, and days are written as in the
country of whoever exports. So the order of day and month is found in the file, or told.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date

from transactions.statements.items import Account, Entry, Item, Items, NotReadable, Refused
from transactions.statements.values import Faults, Malformed, day_of, tidy, with_point

# 31/1/2026, 1/31'26, 31.01.26, 2026-01-31
DAY = re.compile(r"(\d{1,4})\s*[/.-]\s*(\d{1,2})\s*(?P<short>')?\s*[/.-]?\s*(\d{1,4})", re.ASCII)
MONEY = {"bank", "cash", "ccard", "oth a", "oth l"}
DAY_FIRST, MONTH_FIRST = "day-first", "month-first"


@dataclass
class _Record:
    line: int
    values: dict[str, str] = field(default_factory=dict)


def order_of(lines: Iterable[str]) -> str:
    """Which comes first in the file's dates. If none of them tells, the month, as in Quicken."""
    for line in lines:
        match = DAY.match(line[1:].strip()) if line[:1] == "D" else None
        if match and len(match[1]) < 3:
            if int(match[1]) > 12:
                return DAY_FIRST
            if int(match[2]) > 12:
                return MONTH_FIRST
    return MONTH_FIRST


def read(lines: Iterable[str], order: str = MONTH_FIRST) -> Items:
    """The items of a file, given its lines.

    Raises:
        NotReadable: it holds no movements of money, or ends in the middle of one.
    """
    kind, found = "", False
    record = _Record(1)
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if line.startswith("!"):
            kind = line[1:].casefold()
            record = _Record(number + 1)
        elif line == "^":
            found = found or _is_money(kind)
            yield from _ended(kind, record, order)
            record = _Record(number + 1)
        elif line:
            record.values.setdefault(line[0], line[1:].strip())
    if record.values:
        raise NotReadable("truncated", "The file ends in the middle of an entry: ^ is missing.")
    if not found:
        raise NotReadable("no-statement", "The QIF holds no movements of an account.")


def _is_money(kind: str) -> bool:
    return kind.removeprefix("type:").strip() in MONEY


def _ended(kind: str, record: _Record, order: str) -> Iterator[Item]:
    if kind.startswith("account"):
        yield Account(record.values.get("N", ""))
    elif _is_money(kind) and record.values:
        yield _entry(record, order)


def _entry(record: _Record, order: str) -> Entry | Refused:
    values = record.values
    faults = Faults()
    day = faults.read("transaction_date", "D", lambda: _day(values.get("D", ""), order))
    amount = faults.read(
        "transaction_amount", "T", lambda: with_point(values.get("T") or values.get("U", ""))
    )
    if day is None or amount is None:
        return Refused(record.line, tuple(faults.found))
    return Entry(
        place=record.line,
        day=day,
        amount=amount,
        currency=None,
        name=tidy(values.get("P", "")),
        text=tidy(values.get("M", "")),
        # In brackets it is another account of the same person.
        category=tidy(values.get("L", "").strip("[]")),
    )


def _day(text: str, order: str) -> date:
    match = DAY.fullmatch(text)
    if match is None:
        raise Malformed("It is missing." if not text else "It is no day such as 31/01/2026.")
    first, second, last = int(match[1]), int(match[2]), int(match[4])
    if len(match[1]) == 4:
        return day_of(first, second, last)
    year = last if last > 99 else last + (1900 if last >= 70 and not match["short"] else 2000)
    return day_of(year, *((second, first) if order == DAY_FIRST else (first, second)))
