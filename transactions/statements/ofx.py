"""OFX 1 (SGML, with or without closing tags), OFX 2 (XML) and QFX.

Source: the OFX Specification 1.6 and 2.2, chapters 11 and 13. It is read as a sequence of tags, by
no XML parser: OFX 1 is no XML, and much OFX 2 is not well-formed. So there are no entities to
expand, and no tree to hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from html import unescape

from transactions.statements.items import (
    Account,
    Balance,
    Entry,
    Item,
    Items,
    Moment,
    NotReadable,
    Pending,
    Refused,
)
from transactions.statements.values import Faults, Malformed, day_of, tidy, with_point

TAG = re.compile(r"(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9._]*)\s*/?>(?P<text>.*)", re.DOTALL)
CDATA, CDATA_END = "![CDATA[", "]]>"
DAY = re.compile(r"(\d{4})(\d\d)(\d\d)", re.ASCII)
# In characters. A value of OFX has at most 255, and a transaction a dozen values.
LONGEST_PIECE = 64 * 1024
# What is read. Everything else in the file is passed over.
STATEMENTS = {"STMTRS", "CCSTMTRS", "INVSTMTRS"}
PARTS = {
    *("STMTTRN", "LEDGERBAL", "BANKACCTFROM", "CCACCTFROM", "INVACCTFROM"),
    *("CURRENCY", "ORIGCURRENCY", "SONRS", "PAYEE", "BANKACCTTO", "CCACCTTO"),
    "STMTTRNP",  # pending
}


@dataclass
class _Part:
    name: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass
class _File:
    """What has been read so far. `parts` are those that are open, the innermost last."""

    currency: str | None = None
    parts: list[_Part] = field(default_factory=list)
    entries: int = 0
    statements: int = 0
    has_ofx: bool = False
    refusal: str = ""


def read(text: Iterable[str]) -> Items:
    """The items of a file, given its text in pieces.

    Raises:
        NotReadable: it is no OFX, is truncated, or holds no statement.
    """
    file = _File()
    is_whole = False
    for end, name, value in _tags(text):
        if end:
            is_whole = is_whole or name == "OFX"
            yield from _ended(file, name)
        else:
            _begun(file, name, value)
    if not file.has_ofx:
        raise NotReadable("not-ofx", "The file has no OFX in it.")
    if not is_whole:
        raise NotReadable("truncated", "The file ends in the middle: </OFX> is missing.")
    if not file.statements:
        raise NotReadable("no-statement", file.refusal or "The OFX holds no account statement.")


def _tags(text: Iterable[str]) -> Iterator[tuple[bool, str, str]]:
    """Each tag: whether it ends something, its name in capitals, and the text after it."""
    for piece in _pieces(text):
        if match := TAG.match(piece):
            yield bool(match["end"]), match["name"].upper(), match["text"]


def _pieces(text: Iterable[str]) -> Iterator[str]:
    """What lies between two `<`; CDATA counts as text of the tag before it."""
    rest, last, is_literal = "", "", False
    for chunk in text:
        *pieces, rest = (rest + chunk).split("<")
        for piece in pieces:
            if is_literal or piece.startswith(CDATA):
                last += f"<{piece}" if is_literal else piece.removeprefix(CDATA)
                is_literal = CDATA_END not in piece
                last = last.replace(CDATA_END, "")
            else:
                yield last
                last = piece
            _require_short(last)
        _require_short(rest)
    yield last
    yield rest


def _require_short(piece: str) -> None:
    if len(piece) > LONGEST_PIECE:
        raise NotReadable("value-too-long", "A value is longer than any of OFX.")


def _begun(file: _File, name: str, text: str) -> None:
    if name == "OFX":
        file.has_ofx = True
    elif name in STATEMENTS:
        file.statements += 1
        file.currency = None
    elif name in PARTS:
        file.parts.append(_Part(name))
    elif value := tidy(unescape(text)):
        if name == "CURDEF":
            file.currency = value
        elif file.parts:
            file.parts[-1].values.setdefault(name, value)


def _ended(file: _File, name: str) -> Iterator[Item]:
    if not any(part.name == name for part in file.parts):
        return
    while file.parts:
        part = file.parts.pop()
        if part.name == name:
            break
    yield from _read(file, part)


def _read(file: _File, part: _Part) -> Iterator[Item]:
    values = part.values
    if part.name.endswith("ACCTFROM"):
        yield Account(values.get("ACCTID", ""), file.currency)
    elif part.name in {"CURRENCY", "ORIGCURRENCY", "PAYEE"} and file.parts:
        file.parts[-1].values.setdefault(part.name, values.get("CURSYM") or values.get("NAME", ""))
    elif part.name == "SONRS" and values.get("SEVERITY", "").upper() == "ERROR":
        file.refusal = "The bank refused the login: the file holds its error, and no statement."
    elif part.name == "LEDGERBAL":
        yield from _balance(values, file.currency)
    elif part.name.startswith("STMTTRN"):
        file.entries += 1
        is_booked = part.name == "STMTTRN"
        yield _entry(file.entries, values, file.currency) if is_booked else Pending(file.entries)


def _balance(values: dict[str, str], currency: str | None) -> Iterator[Balance]:
    try:
        yield Balance(Moment.CLOSING, with_point(values.get("BALAMT", "")), currency)
    except Malformed:
        return


def _entry(place: int, values: dict[str, str], currency: str | None) -> Entry | Refused:
    faults = Faults()
    day = faults.read("transaction_date", "DTPOSTED", lambda: _day(values.get("DTPOSTED", "")))
    amount = faults.read(
        "transaction_amount", "TRNAMT", lambda: with_point(values.get("TRNAMT", ""))
    )
    if day is None or amount is None:
        return Refused(place, tuple(faults.found))
    name, memo = values.get("NAME") or values.get("PAYEE"), values.get("MEMO")
    return Entry(
        place=place,
        day=day,
        amount=amount,
        # CURRENCY says what the amount is in; ORIGCURRENCY only what it was converted from.
        currency=values.get("CURRENCY") or currency,
        name=name or None,
        text=memo or None,
        reference=values.get("FITID"),
    )


def _day(text: str) -> date:
    # As the bank wrote it: its midnight is another day in UTC.
    if match := DAY.match(text):
        return day_of(*map(int, match.groups()))
    raise Malformed("It is missing." if not text else "It has no day of eight digits.")
