"""The entries of a bank's file as rows, each with an external id, so that none comes in twice."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from transactions.files.columns import fitting
from transactions.imports.identities import Identities
from transactions.imports.layout import MAX_ROW_LENGTH, Layout
from transactions.imports.proof import Proof
from transactions.statements import camt, mt940, ofx, qif
from transactions.statements.items import Account, Entry, Items, NotReadable, Refused
from transactions.statements.recognition import CAMT, MT940, OFX, QIF
from transactions.statements.values import trimmed

PIECE = 64 * 1024

Open = Callable[[], BinaryIO]


@dataclass(frozen=True)
class Unread:
    """An entry that cannot be read: pairs of a column and what is wrong there."""

    faults: tuple[tuple[str, str], ...]


# Where it is in the file, and its values by column.
Row = tuple[int, dict[str, Any] | Unread]


def rows(opened: Open, layout: Layout, proof: Proof) -> Iterator[Row]:
    """The booked entries, in their order; `proof` is told everything.

    Raises:
        NotReadable
    """
    ids = Identities()
    account = ""
    for item in READERS[layout.form](opened, layout.encoding):
        proof.note(item)
        if isinstance(item, Account):
            account = item.number
        elif isinstance(item, Entry):
            yield item.place, _row(item, _id_of(account, item, ids))
        elif isinstance(item, Refused):
            yield item.place, Unread(tuple((each.column, each.detail) for each in item.faults))


def _row(entry: Entry, external_id: str) -> dict[str, Any]:
    values = {
        "transaction_date": entry.day.isoformat(),
        "transaction_amount": trimmed(entry.amount.copy_abs()),
        "transaction_type": "debit" if entry.amount < 0 else "credit",
        "full_name": fitting(entry.name, "full_name"),
        "description": fitting(entry.text, "description"),
        "category": fitting(entry.category, "category"),
        "external_id": external_id,
    }
    return values | ({"currency": entry.currency} if entry.currency else {})


def _id_of(account: str, entry: Entry, ids: Identities) -> str:
    """An external id of the bank's own reference, if the entry has one, or else of its content.

    Banks do not keep references unique, so the day and the amount are in both.
    """
    kind, words = "content", f"{entry.name or ''}\x1f{entry.text or ''}"
    if entry.reference:
        kind, words = "reference", entry.reference
    amount = f"{trimmed(entry.amount):f}"
    parts = (account, entry.day.isoformat(), amount, entry.currency or "", kind, words)
    return ids.of(kind, parts)


def _text(opened: Open, encoding: str) -> io.TextIOWrapper:
    # A few bytes have no meaning in Windows' code page.
    return io.TextIOWrapper(opened(), encoding=encoding, errors="replace", newline=None)


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(MAX_ROW_LENGTH + 1):
        if len(line) > MAX_ROW_LENGTH:
            raise NotReadable("line-too-long", f"A line has over {MAX_ROW_LENGTH:,} characters.")
        yield line


def _mt940(opened: Open, encoding: str) -> Items:
    with _text(opened, encoding) as text:
        yield from mt940.read(_lines(text))


def _qif(opened: Open, encoding: str) -> Items:
    with _text(opened, encoding) as text:
        order = qif.order_of(_lines(text))
    with _text(opened, encoding) as text:
        yield from qif.read(_lines(text), order)


def _ofx(opened: Open, encoding: str) -> Items:
    with _text(opened, encoding) as text:
        yield from ofx.read(iter(lambda: text.read(PIECE), ""))


def _camt(opened: Open, encoding: str) -> Items:
    with opened() as file:
        yield from camt.read(file)  # XML says its encoding itself


READERS: dict[str, Callable[[Open, str], Items]] = {
    CAMT: _camt,
    MT940: _mt940,
    OFX: _ofx,
    QIF: _qif,
}
