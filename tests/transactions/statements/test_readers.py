"""The readers of banks' files: details, bounds, and what they say of broken files."""

import io
import tracemalloc
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest

from transactions.statements import camt, mt940, ofx, qif
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
from transactions.statements.values import Malformed, short_day, trimmed, with_comma, with_point

MEGABYTE = 1024 * 1024


def entries(items: Items) -> list[Entry]:
    return [item for item in items if isinstance(item, Entry)]


# --- values ---


@pytest.mark.parametrize(
    ("text", "value"), [("1234,5", "1234.5"), ("12,", "12"), (",50", "0.5"), ("0,00", "0")]
)
def test_swift_writes_commas(text: str, value: str) -> None:
    assert with_comma(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", ",", "1.5", "-1,0", "1,2,3", "1e5,0", "9" * 50 + ","])
def test_other_swift_amounts_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        with_comma(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("-5.50", "-5.5"), ("+0115.8331", "115.8331"), ("1,234,567.8", "1234567.8"), (".5", "0.5")],
)
def test_others_write_points(text: str, value: str) -> None:
    assert with_point(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", ".", "-", "$120", "1,5", "1e5", "NaN", "١٢", "1 000"])
def test_other_amounts_are_refused(text: str) -> None:
    with pytest.raises(Malformed):
        with_point(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("260131", date(2026, 1, 31)),
        ("690101", date(2069, 1, 1)),
        ("700101", date(1970, 1, 1)),
        ("160230", date(2016, 2, 29)),  # banks whose months have 30 days
        ("150229", date(2015, 2, 28)),
    ],
)
def test_days_of_six_digits(text: str, day: date) -> None:
    assert short_day(text) == day


@pytest.mark.parametrize("text", ["260132", "261301", "150231", "2601", "26013a"])
def test_a_day_that_never_was(text: str) -> None:
    with pytest.raises(Malformed):
        short_day(text)


# --- MT940 ---


def swift(*lines: str) -> list[Item]:
    return list(mt940.read(f"{line}\n" for line in lines))


@pytest.mark.parametrize(
    ("mark", "amount"), [("C", "5"), ("D", "-5"), ("RC", "-5"), ("RD", "5"), ("DR", "-5")]
)
def test_a_mark_gives_the_sign_and_a_reversal_turns_it(mark: str, amount: str) -> None:
    (entry,) = entries(iter(swift(":20:X", f":61:260131{mark}5,NTRFNONREF")))

    assert entry.amount == Decimal(amount)


def test_what_is_only_expected_is_pending() -> None:
    assert swift(":20:X", ":61:260131EC5,NTRFNONREF")[-1:] == [Pending(2)]


@pytest.mark.parametrize(
    ("valued", "booked", "day"),
    [
        ("251231", "0102", date(2026, 1, 2)),
        ("260102", "1231", date(2025, 12, 31)),
        ("260131", "0201", date(2026, 2, 1)),
        ("260131", "", date(2026, 1, 31)),
    ],
)
def test_the_day_of_booking_is_next_to_the_value_date(valued: str, booked: str, day: date) -> None:
    (entry,) = entries(iter(swift(f":61:{valued}{booked}C5,NTRFNONREF")))

    assert entry.day == day


def test_the_words_of_a_sepa_payment_are_told_from_its_references() -> None:
    (entry,) = entries(
        iter(
            swift(
                ":61:260131D5,NTRFNONREF//B42",
                ":86:105?00LASTSCHRIFT?20EREF+1?21MREF+2?22SVWZ+Rent for ",
                "January?32Landlord?33 & Sons",
            )
        )
    )

    assert (entry.name, entry.text) == ("Landlord & Sons", "Rent for January")
    assert entry.reference == "B42"


def test_a_movement_that_cannot_be_read_is_refused_by_its_line() -> None:
    (refused,) = swift(":20:X", ":61:rubbish")

    assert isinstance(refused, Refused)
    assert refused.place == 2


def test_field_86_of_the_statement_describes_no_entry() -> None:
    (entry,) = entries(iter(swift(":61:260131D5,NTRFNONREF", ":62F:C260131EUR5,", ":86:Goodbye")))

    assert entry.text is None


# --- OFX ---


def statement(entry: str) -> str:
    return f"<OFX><STMTRS><CURDEF>EUR<BANKTRANLIST><STMTTRN>{entry}</STMTTRN></BANKTRANLIST></OFX>"


def test_what_an_amount_was_converted_from_is_not_its_currency() -> None:
    entry = "<DTPOSTED>20260131<TRNAMT>-5<ORIGCURRENCY><CURSYM>USD</ORIGCURRENCY>"

    (found,) = entries(ofx.read([statement(entry)]))

    assert found.currency == "EUR"


def test_an_amount_in_another_currency_says_so() -> None:
    entry = "<DTPOSTED>20260131<TRNAMT>-5<CURRENCY><CURSYM>USD</CURRENCY>"

    (found,) = entries(ofx.read([statement(entry)]))

    assert found.currency == "USD"


def test_a_tag_may_be_cut_anywhere() -> None:
    whole = statement(
        "<DTPOSTED>20260131235959[-5:EST]<TRNAMT>-5.5<NAME>A &amp; B<MEMO><![CDATA[<x>]]>"
    )

    for cut in range(len(whole)):
        (found,) = entries(ofx.read([whole[:cut], whole[cut:]]))
        assert (found.amount, found.name, found.text) == (Decimal("-5.5"), "A & B", "<x>")
        assert found.day == date(2026, 1, 31)


def test_what_ofx_lists_as_pending_is_no_entry() -> None:
    pending = "<STMTTRNP><DTTRAN>20260131<TRNAMT>-9<NAME>Hotel</STMTTRNP>"
    whole = statement("<DTPOSTED>20260131<TRNAMT>-5").replace("</OFX>", f"{pending}</OFX>")

    first, second = ofx.read([whole])

    assert isinstance(first, Entry)
    assert second == Pending(2)


def test_entities_are_no_more_than_text() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "b">]>' + statement("<DTPOSTED>20260131<TRNAMT>1<NAME>&a;&a;")

    (found,) = entries(ofx.read([bomb]))

    assert found.name == "&a;&a;"


# --- QIF ---


@pytest.mark.parametrize(
    ("dates", "days"),
    [
        (["31/01/2026", "02/03/2026"], [date(2026, 1, 31), date(2026, 3, 2)]),
        (["02/03/2026", "01/31/2026"], [date(2026, 2, 3), date(2026, 1, 31)]),
        (["02/03/2026"], [date(2026, 2, 3)]),
        (["1/ 2'07"], [date(2007, 1, 2)]),
        (["31.12.99"], [date(1999, 12, 31)]),
        (["2026-01-31"], [date(2026, 1, 31)]),
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_file(dates: list[str], days: list[date]) -> None:
    lines = ["!Type:Bank", *(line for text in dates for line in (f"D{text}", "T1.00", "^"))]

    found = entries(qif.read(lines, qif.order_of(lines)))

    assert [entry.day for entry in found] == days


# --- camt ---

HEAD = b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>'
TAIL = b"</Stmt></BkToCstmrStmt></Document>"
ENTRY = b"""<Ntry><Amt Ccy="EUR">1.00</Amt><CdtDbtInd>DBIT</CdtDbtInd>
<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-01-31</Dt></BookgDt>
<NtryDtls><TxDtls><RltdPties><Cdtr><Pty><Nm>Shop</Nm></Pty></Cdtr></RltdPties>
<RmtInf><Ustrd>%b</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>""" % (b"x" * 500)


class Stream(io.RawIOBase):
    """A file that is never whole in memory."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


def test_memory_does_not_grow_with_the_file() -> None:
    def pieces(count: int) -> Iterator[bytes]:
        yield HEAD
        for _ in range(count):
            yield ENTRY
        yield TAIL

    def peak(count: int) -> int:
        tracemalloc.start()
        read = camt.read(Stream(pieces(count)))  # type: ignore[arg-type]
        assert sum(1 for _ in read) == count
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    assert peak(2_000) < peak(300) + MEGABYTE


@pytest.mark.parametrize(
    "filler", [b"x" * 65_536, b"<AddtlNtryInf/>" * 4_000], ids=["text", "elements"]
)
def test_an_entry_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch, filler: bytes) -> None:
    monkeypatch.setattr(camt, "MAX_PARTS", 20_000)

    def pieces() -> Iterator[bytes]:
        yield HEAD + b"<Ntry>"
        while True:
            yield filler

    with pytest.raises(NotReadable) as caught:
        list(camt.read(Stream(pieces())))  # type: ignore[arg-type]

    assert caught.value.code == "entry-too-large"


def test_a_batch_is_one_entry_of_nobody() -> None:
    payment = b"<TxDtls><RltdPties><Cdtr><Nm>One</Nm></Cdtr></RltdPties></TxDtls>"
    batch = ENTRY.replace(b"<NtryDtls>", b"<NtryDtls>" + payment)

    (found,) = entries(camt.read(io.BytesIO(HEAD + batch + TAIL)))

    assert (found.amount, found.name) == (Decimal("-1.00"), None)


def test_balances_and_accounts_are_read() -> None:
    account = b"<Acct><Id><IBAN>DE02</IBAN></Id><Ccy>EUR</Ccy></Acct>"
    balance = b"""<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">3</Amt>
<CdtDbtInd>DBIT</CdtDbtInd></Bal>"""

    found = list(camt.read(io.BytesIO(HEAD + account + balance + TAIL)))

    assert found == [Account("DE02", "EUR"), Balance(Moment.CLOSING, Decimal(-3), "EUR")]


def test_an_amount_is_trimmed_and_never_rounded() -> None:
    exact = Decimal("1." + "0" * 30 + "1")

    assert trimmed(exact) == exact
    assert str(trimmed(Decimal("1.500"))) == "1.5"
