"""camt.052, camt.053 and camt.054: ISO 20022's reports, statements and notifications, any version.

Source: ISO 20022, message definitions of camt.052 to .054. It is read entry by entry, and what has
been read is dropped. A document type, and with it every trick with entities, is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

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

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.05"
STATEMENTS = {"Rpt", "Stmt", "Ntfctn"}
MOMENTS = {"OPBD": Moment.OPENING, "PRCD": Moment.OPENING, "CLBD": Moment.CLOSING}
BOOKED = "BOOK"
# What may lie between two entries, and the parts of one: far more than banks send.
MAX_BYTES, MAX_PARTS = 32 * 1024 * 1024, 500_000


class _Bounded:
    """A file of which only so much may be read until something comes of it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.left = MAX_BYTES

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size if size > 0 else 65_536)
        self.left -= len(data)
        if self.left < 0:
            raise NotReadable("entry-too-large", "An entry is larger than any that a bank sends.")
        return data


def read(file: BinaryIO) -> Items:
    """The items of a file.

    Raises:
        NotReadable: it is not well-formed, has a document type, is no camt, or has no statement.
    """
    bounded = _Bounded(file)
    try:
        yield from _read(bounded)
    except DefusedXmlException:
        raise NotReadable("has-doctype", "The XML has a document type, as no bank sends.") from None
    except (ParseError, LookupError, UnicodeError, ValueError) as error:
        if isinstance(error, NotReadable):
            raise
        raise NotReadable("malformed-xml", _where(error)) from None


def _where(error: Exception) -> str:
    line, column = getattr(error, "position", (None, None))
    place = f": line {line}, column {column}" if line else ""
    return f"The file is not well-formed XML{place}."


def _read(file: _Bounded) -> Items:
    statements = entries = parts = 0
    open_: list[Element] = []
    for event, element in iterparse(file, events=("start", "end"), forbid_dtd=True):
        name = _name(element)
        if event == "start":
            _require_camt(element, is_root=not open_)
            open_.append(element)
            parts += 1
            if parts > MAX_PARTS:
                raise NotReadable("entry-too-large", "An entry has more parts than banks send.")
            continue
        open_.pop()
        if name in STATEMENTS:
            statements += 1
        if name == "Ntry":
            entries += 1
        if len(open_) == 3 and name in READERS and _name(open_[-1]) in STATEMENTS:
            yield from READERS[name](element, entries)
        if len(open_) <= 3:
            # Empties it, and takes it out of its parent: otherwise the tree grows with the file.
            element.clear()
            if open_:
                open_[-1].remove(element)
            parts, file.left = 0, MAX_BYTES
    if not statements:
        raise NotReadable("no-statement", "The camt message holds no statement.")


def _require_camt(element: Element, *, is_root: bool) -> None:
    if is_root and not element.tag.startswith("{" + NAMESPACE):
        raise NotReadable("not-camt", "The XML is no camt.052, camt.053 or camt.054.")


def _name(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(element: Element | None, *path: str) -> Iterator[Element]:
    """The elements at this path; an alternative is written with a bar."""
    if element is None:
        return
    if not path:
        yield element
        return
    for child in element:
        if _name(child) in path[0].split("|"):
            yield from _all(child, *path[1:])


def _one(element: Element | None, *path: str) -> Element | None:
    return next(_all(element, *path), None)


def _text(element: Element | None, *path: str) -> str:
    found = _one(element, *path)
    return (found.text or "").strip() if found is not None else ""


def _account(element: Element, place: int) -> Iterator[Item]:
    number = _text(element, "Id", "IBAN") or _text(element, "Id", "Othr", "Id")
    yield Account(number, _text(element, "Ccy") or None)


def _balance(element: Element, place: int) -> Iterator[Item]:
    moment = MOMENTS.get(_text(element, "Tp", "CdOrPrtry", "Cd"))
    if moment is None:
        return
    try:
        amount, currency = _amount(element)
    except Malformed:
        return
    yield Balance(moment, amount, currency)


def _entry(element: Element, place: int) -> Iterator[Item]:
    status = _text(element, "Sts", "Cd") or _text(element, "Sts")
    if status != BOOKED:
        yield Pending(place)
        return
    faults = Faults()
    day = faults.read("transaction_date", "BookgDt", lambda: _day(element))
    money = faults.read("transaction_amount", "Amt", lambda: _amount(element))
    if day is None or money is None:
        yield Refused(place, tuple(faults.found))
        return
    amount, currency = money
    yield Entry(
        place=place,
        day=day,
        amount=amount,
        currency=currency,
        name=_other_party(element, is_debit=amount < 0),
        text=_words(element),
        reference=_text(element, "AcctSvcrRef") or None,
    )


def _amount(element: Element) -> tuple[Decimal, str | None]:
    """The signed amount and its currency. A reversal's indicator is already the reversed one."""
    found = _one(element, "Amt")
    amount = with_point(_text(found))
    if _text(element, "CdtDbtInd") == "DBIT":
        amount = -amount
    return amount, (found.get("Ccy") if found is not None else None)


def _day(element: Element) -> date:
    text = _text(element, "BookgDt", "Dt|DtTm") or _text(element, "ValDt", "Dt|DtTm")
    parts = text[:10].split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise Malformed("It is missing." if not text else "It is no ISO 8601 day.")
    return day_of(*map(int, parts))


def _other_party(element: Element, *, is_debit: bool) -> str | None:
    """Who got the money or gave it, if the entry is one payment and not a batch of them."""
    payments = list(_all(element, "NtryDtls", "TxDtls"))
    if len(payments) != 1:
        return None
    parties = _one(payments[0], "RltdPties")
    ends = ("UltmtCdtr", "Cdtr") if is_debit else ("UltmtDbtr", "Dbtr")
    names = [_text(parties, end, "Pty", "Nm") or _text(parties, end, "Nm") for end in ends[::-1]]
    return next((tidy(name) for name in names if name), None)


def _words(element: Element) -> str | None:
    """What the payer wrote; else the reference of the creditor; else what the bank says."""
    payments = list(_all(element, "NtryDtls", "TxDtls"))
    info = _one(payments[0], "RmtInf") if len(payments) == 1 else None
    words = " ".join(_content(info, "Ustrd"))
    words = words or " ".join(_content(info, "Strd", "AddtlRmtInf"))
    words = words or " ".join(_content(info, "Strd", "CdtrRefInf", "Ref"))
    return tidy(words) or tidy(_text(element, "AddtlNtryInf"))


def _content(element: Element | None, *path: str) -> Iterator[str]:
    return (found.text or "" for found in _all(element, *path))


READERS: dict[str, Any] = {"Acct": _account, "Bal": _balance, "Ntry": _entry}
