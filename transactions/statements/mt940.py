"""MT940 and MT942: the SWIFT statements, as banks write them.

Source: SWIFT's User Handbook, Category 9, and the German banks' (DFÜ-Abkommen, Anlage 3) for the
parts of field 86. Banks differ in details; what is not needed is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date

from transactions.statements.items import (
    Account,
    Balance,
    Entry,
    Fault,
    Item,
    Items,
    Moment,
    Pending,
    Refused,
)
from transactions.statements.values import Malformed, day_of, short_day, tidy, with_comma

FIELD = re.compile(r":(\d\d[A-Z]?|NS):(.*)", re.ASCII)
# The envelope of a message as it goes over the network: {1:…}{2:…}{4:
LONGEST_ENVELOPE = 1_000
ENVELOPE = re.compile(r"(?:\{\d:[^{}]*\})*\{4:|-\}(?:\{\d:.*\})*\s*$|(?:\{\d:[^{}]*\})+\s*$")
MOVEMENT = re.compile(
    r"(?P<value>\d{6})(?P<booked>\d{4}|\s{4})?\s*"
    r"(?P<mark>[RE]?[CD])[A-Z]?\s*"
    r"(?P<amount>\d*,\d*|\d+)"
    r"(?P<kind>[A-Z][A-Z0-9 ]{3})?"
    r"(?P<customer>(?:(?!//).)*)"
    r"(?://(?P<bank>.*))?",
    re.ASCII,
)
BALANCE = re.compile(
    r"(?P<mark>[CD])(?P<day>\d{6})(?P<currency>[A-Z]{3})(?P<amount>[\d,]+)", re.ASCII
)
LIMIT = re.compile(r"(?P<currency>[A-Z]{3})[CD]?[\d,]+")
MOMENTS = {
    "60F": Moment.OPENING,
    "60M": Moment.OPENING,
    "62F": Moment.CLOSING,
    "62M": Moment.CLOSING,
}
# Field 86 in parts: a code of three digits, then a sign before each part's number.
PARTS = re.compile(r"\s?\d{3}(?P<sign>[^\w\s])(?=\d\d)")
NAME, TEXT = {"32", "33"}, {*(str(n) for n in range(20, 30)), *(str(n) for n in range(60, 64))}
# What a SEPA payment's text consists of; the words themselves follow SVWZ.
KEYWORD = re.compile(r"(EREF|KREF|MREF|CRED|DEBT|COAM|OAMT|SVWZ|ABWA|ABWE|IBAN|BIC)\+")
# In lines. No field that SWIFT allows has more than a tenth.
LONGEST_FIELD = 200
NONE = {"", "NONREF"}
EXPECTED = "E"


@dataclass
class _Field:
    """A field with the lines that belong to it."""

    line: int
    tag: str
    lines: list[str] = field(default_factory=list)


@dataclass
class _Message:
    """What the fields so far have said of the statement."""

    currency: str | None = None
    waiting: Entry | None = None


def read(lines: Iterable[str]) -> Items:
    """The items of a file, given its lines."""
    message = _Message()
    for each in _fields(lines):
        if each.tag == "86" and message.waiting:
            yield _described(message.waiting, each)
            message.waiting = None
        elif each.tag != "NS":
            yield from _released(message)
            if each.tag == "20":
                message = _Message()
            yield from _read(each, message)
    yield from _released(message)


def _released(message: _Message) -> Iterator[Entry]:
    """The entry that was waiting for a description, and got none."""
    if message.waiting:
        yield message.waiting
        message.waiting = None


def _fields(lines: Iterable[str]) -> Iterator[_Field]:
    found: _Field | None = None
    cut = ""
    for number, raw in enumerate(lines, start=1):
        line = cut + _unwrapped(raw.rstrip("\r\n"))
        # A colon that its field follows on the next line.
        cut = ":" if line.strip() == ":" else ""
        if match := FIELD.match(line):
            if found:
                yield found
            found = _Field(number, match[1], [match[2]])
        elif found and line.strip() not in {"-", ":"} and len(found.lines) < LONGEST_FIELD:
            found.lines.append(line)
    if found:
        yield found


def _unwrapped(line: str) -> str:
    return line if len(line) > LONGEST_ENVELOPE else ENVELOPE.sub("", line)


def _read(each: _Field, message: _Message) -> Iterator[Item]:
    text = each.lines[0].strip()
    if each.tag == "25":
        yield Account(text)
    elif each.tag == "34F" and (limit := LIMIT.match(text)):
        message.currency = limit["currency"]
    elif moment := MOMENTS.get(each.tag):
        yield from _balance(text, moment, message)
    elif each.tag == "61":
        yield from _movement(each, message)


def _balance(text: str, moment: Moment, message: _Message) -> Iterator[Balance]:
    match = BALANCE.match(text)
    if match is None:
        return
    message.currency = match["currency"]
    try:
        amount = with_comma(match["amount"])
    except Malformed:
        return
    yield Balance(moment, -amount if match["mark"] == "D" else amount, match["currency"])


def _movement(each: _Field, message: _Message) -> Iterator[Item]:
    # Some banks break the line before the amount.
    text, *more = each.lines
    if more and not re.search(r"\d,", text):
        text, more = text + more[0], more[1:]
    match = MOVEMENT.match(text)
    if match is None:
        yield Refused(each.line, (Fault("", "Field 61 cannot be read."),))
        return
    if match["mark"].startswith(EXPECTED):
        yield Pending(each.line)
        return
    try:
        entry = _entry(each.line, match, message.currency)
    except Malformed as error:
        yield Refused(each.line, (Fault("", f"Field 61: {error}"),))
        return
    message.waiting = replace(entry, text=tidy(" ".join(more)))


def _entry(line: int, match: re.Match[str], currency: str | None) -> Entry:
    amount = match["amount"]
    value = with_comma(amount if "," in amount else f"{amount},")
    # RC takes a credit back, so it is a debit.
    is_debit = match["mark"] in {"D", "RC"}
    bank = (match["bank"] or "").strip()
    return Entry(
        place=line,
        day=_day(match["value"], (match["booked"] or "").strip()),
        amount=-value if is_debit else value,
        currency=currency,
        reference=None if bank in NONE else bank,
    )


def _day(value: str, booked: str) -> date:
    """The day of booking, whose year is that of the value date or next to it."""
    valued = short_day(value)
    if not booked:
        return valued
    month = int(booked[:2])
    year = valued.year + (valued.month == 12 and month == 1) - (valued.month == 1 and month == 12)
    return day_of(year, month, int(booked[2:]))


def _described(entry: Entry, each: _Field) -> Entry:
    """The entry with what field 86 says of it."""
    start = PARTS.match(each.lines[0])
    if start is None:
        return replace(entry, text=tidy(" ".join(each.lines)) or entry.text)
    parts = _parts("".join(each.lines)[start.end("sign") - 1 :], start["sign"])
    purpose = "".join(text for number, text in parts if number in TEXT)
    posting = "".join(text for number, text in parts if number == "00")
    name = "".join(text for number, text in parts if number in NAME)
    return replace(
        entry, name=tidy(name), text=tidy(_words(purpose)) or tidy(posting) or entry.text
    )


def _parts(text: str, sign: str) -> list[tuple[str, str]]:
    return [
        (part[:2], part[2:]) for part in text.split(sign) if part[:2].isdigit() and len(part) > 2
    ]


def _words(purpose: str) -> str:
    """What the payer wrote, without references."""
    pieces = KEYWORD.split(purpose)
    by_keyword = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return by_keyword.get("SVWZ", "").strip() or purpose
