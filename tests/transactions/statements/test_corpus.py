"""Real files of banks: what is in them is read to the cent."""

import io
from collections import Counter
from decimal import Decimal
from pathlib import Path

import mt940 as other_parser
import pytest

from tests.transactions.statements.files import (
    CORPUS,
    READABLE,
    UNKNOWN,
    UNREADABLE,
    Expected,
    content,
)
from transactions.imports.bank_files import READERS
from transactions.imports.contents import FromBank
from transactions.imports.proof import Proof
from transactions.statements.items import Entry, Item, NotReadable, Pending, Refused
from transactions.statements.recognition import recognised


def items(data: bytes) -> list[Item]:
    form = recognised(data)
    assert form
    contents = FromBank(form, data)
    contents.feed(data)
    return list(READERS[form](lambda: io.BytesIO(data), contents.finish().encoding))


def sums(entries: list[Entry]) -> dict[str, Decimal]:
    found: Counter[str] = Counter()
    for entry in entries:
        found[entry.currency or ""] += entry.amount  # type: ignore[assignment]
    return dict(found)  # type: ignore[arg-type]


def proved(found: list[Item]) -> dict[int, str]:
    proof = Proof()
    for item in found:
        proof.note(item)
    proof.finish()
    return {warning["statement"]: warning["difference"] for warning in proof.warnings}


def test_every_file_is_in_the_table() -> None:
    files = {str(path.relative_to(CORPUS)) for path in CORPUS.rglob("*") if path.is_file()}
    texts = {"NOTICES", "mt940/cmxl/LICENSE"}

    assert files - texts == {*READABLE, *UNREADABLE, *UNKNOWN}


@pytest.mark.parametrize("name", READABLE)
def test_what_is_in_a_file_is_read_to_the_cent(name: str) -> None:
    found = items(content(name))

    entries = [item for item in found if isinstance(item, Entry)]
    assert Expected(
        entries=len(entries),
        sums={currency: str(amount.normalize()) for currency, amount in sums(entries).items()},
        refused=sum(isinstance(item, Refused) for item in found),
        pending=sum(isinstance(item, Pending) for item in found),
        differs=proved(found),
    ) == normalised(READABLE[name])


def normalised(expected: Expected) -> Expected:
    by_currency = {code: str(Decimal(text).normalize()) for code, text in expected.sums.items()}
    return Expected(
        expected.entries, by_currency, expected.refused, expected.pending, expected.differs
    )


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_without_a_statement_is_told_why(name: str) -> None:
    code, words = UNREADABLE[name]

    with pytest.raises(NotReadable) as caught:
        items(content(name))

    assert caught.value.code == code
    assert words in caught.value.detail


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_no_statement_is_not_taken_for_one(name: str) -> None:
    assert recognised(content(name)) is None


# The other parser refuses ASNB's, and takes the three messages of cmxl's for one.
COMPARED = [
    name
    for name in READABLE
    if name.startswith("mt940/") and not name.startswith(("mt940/ASNB", "mt940/cmxl/mt940"))
]


@pytest.mark.parametrize("name", COMPARED)
def test_amounts_and_days_are_those_of_another_parser(name: str) -> None:
    theirs = other_parser.models.Transactions()
    theirs.parse(content(name).decode("latin-1"))

    ours = [item for item in items(content(name)) if isinstance(item, Entry)]

    assert [(entry.amount, entry.day) for entry in ours] == [
        (each.data["amount"].amount, each.data.get("entry_date") or each.data["date"])
        for each in theirs
    ]


def test_the_corpus_comes_with_its_licences() -> None:
    notices = Path(CORPUS, "NOTICES").read_text()

    assert all(f"{folder.name}/" in notices for folder in CORPUS.iterdir() if folder.is_dir())
