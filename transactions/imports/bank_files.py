"""The entries of a bank's file as rows, each with an external id, so that none comes in twice."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO

from transactions.files.columns import max_length
from transactions.imports.layout import MAX_ROW_LENGTH, Layout
from transactions.imports.proof import Proof
from transactions.statements import camt, mt940, ofx, qif
from transactions.statements.items import Account, Entry, Items, NotReadable, Refused
from transactions.statements.recognition import CAMT, MT940, OFX, QIF

# Each takes a hundred bytes of memory while the file is read.
MAX_ENTRIES = 1_000_000
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
    ids = _Ids()
    account = ""
    for item in READERS[layout.form](opened, layout.encoding):
        proof.note(item)
        if isinstance(item, Account):
            account = item.number
        elif isinstance(item, Entry):
            yield item.place, _row(item, ids.of(account, item))
        elif isinstance(item, Refused):
            yield item.place, Unread(tuple((each.column, each.detail) for each in item.faults))


def _row(entry: Entry, external_id: str) -> dict[str, Any]:
    values = {
        "transaction_date": entry.day.isoformat(),
        # Banks write more zeros than the currency has decimals.
        "transaction_amount": abs(entry.amount).normalize(),
        "transaction_type": "debit" if entry.amount < 0 else "credit",
        "full_name": _fitting(entry.name, "full_name"),
        "description": _fitting(entry.text, "description"),
        "category": _fitting(entry.category, "category"),
        "external_id": external_id,
    }
    return values | ({"currency": entry.currency} if entry.currency else {})


def _fitting(text: str | None, column: str) -> str | None:
    """The text, cut if it is longer than the column."""
    length = max_length(column)
    return text if text is None or len(text) <= length else text[: length - 1] + "…"


class _Ids:
    """External ids that are the same in every file of this account.

    They are of the bank's own reference, if the entry has one, or else of its content. Banks do not
    keep references unique, so the day and the amount are in both. What is equal in all of it gets
    numbers, in the order of the file: two coffees of one day are two.
    """

    def __init__(self) -> None:
        self._seen: Counter[bytes] = Counter()

    def of(self, account: str, entry: Entry) -> str:
        kind, words = "content", f"{entry.name or ''}\x1f{entry.text or ''}"
        if entry.reference:
            kind, words = "reference", entry.reference
        amount = f"{entry.amount.normalize():f}"
        parts = (account, entry.day.isoformat(), amount, entry.currency or "", kind, words)
        key = blake2b("\x1e".join(parts).encode(errors="surrogatepass"), digest_size=16).digest()
        self._seen[key] += 1
        if len(self._seen) > MAX_ENTRIES:
            detail = f"The file has more than {MAX_ENTRIES:,} entries: split it."
            raise NotReadable("too-many-entries", detail)
        number = self._seen[key].to_bytes(4)
        return f"bank-{kind}-{blake2b(key + number, digest_size=16).hexdigest()}"


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
