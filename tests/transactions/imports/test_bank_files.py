"""Banks' files through the API: what comes in, and that nothing comes in twice."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import ApiClient
from tests.imports import faults, imported, upload, work
from tests.transactions.statements.files import CORPUS, READABLE, UNKNOWN, UNREADABLE, content
from transactions.imports.models import Import
from transactions.models import Transaction
from transactions.statements.recognition import recognised

pytestmark = pytest.mark.django_db(transaction=True)

# Entries that are read, and cannot be recorded: marks of before the euro, tenths of a cent.
NOT_RECORDABLE = {"mt940/cmxl/mt940.sta": 11, "ofx/fidelity-savings.ofx": 3}
RECORDED = {
    "mt940/cmxl/mt940.sta": {"EUR": "2200", "PLN": "10040"},
    "ofx/fidelity-savings.ofx": {"USD": "-1500"},
}


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def moved() -> dict[str, Decimal]:
    """What the recorded transactions add up to, by currency."""
    found: dict[str, Decimal] = {}
    for row in Transaction.objects.all():
        amount = row.transaction_amount
        signed = amount if row.transaction_type == "credit" else -amount
        found[row.currency] = found.get(row.currency, Decimal(0)) + signed
    return found


def counts(row: Import) -> tuple[str, int, int, int]:
    return row.status, row.rows_created, row.rows_refused, row.rows_pending


@pytest.mark.parametrize("name", READABLE)
def test_a_file_is_recorded_to_the_cent_and_never_twice(ada: ApiClient, name: str) -> None:
    expected = READABLE[name]
    refused = expected.refused + NOT_RECORDABLE.get(name, 0)
    created = expected.entries - NOT_RECORDABLE.get(name, 0)

    first = imported(ada, content(name))
    sums = moved()
    again = imported(ada, content(name))

    assert counts(first) == ("done", created, refused, expected.pending)
    in_file = RECORDED.get(name, expected.sums)
    # Where the file names no currency, it is the user's.
    assert sums == {code or "USD": Decimal(text) for code, text in in_file.items()}
    assert {each["statement"]: each["difference"] for each in first.warnings} == expected.differs
    assert counts(again) == ("done", 0, created + refused, expected.pending)
    assert moved() == sums


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_without_a_statement_says_why(ada: ApiClient, name: str) -> None:
    code, words = UNREADABLE[name]
    row = imported(ada, content(name))

    answer = ada.get(f"/imports/{row.pk}").json()

    assert (answer["status"], answer["failure"]) == ("failed", code)
    assert words in answer["failure_detail"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_no_statement_is_refused_at_once(ada: ApiClient, name: str) -> None:
    answer = upload(ada, content(name))

    assert (answer.status_code, answer.json()["code"]) == (400, "unknown-columns")


def test_each_fault_of_an_entry_is_told(ada: ApiClient) -> None:
    row = imported(ada, content("ofx/decimal_error.ofx"))

    assert faults(row) == [
        (1, "transaction_date", "invalid"),
        (1, "transaction_amount", "invalid"),
    ]


def test_names_and_texts_are_the_other_partys(ada: ApiClient) -> None:
    imported(ada, content("mt940/self-provided/whitespace.sta"))

    (seen,) = ada.get("/transactions").json()["results"]

    assert seen["full_name"] == "DEUTSCHE KREDITBANK AG"
    assert seen["description"] == "ERSTATTUNG AUSLANDSEINSATZENTGELT FUER VISA 4998 XXXXXXXX 1234"
    assert (seen["transaction_type"], seen["transaction_amount"]) == ("debit", "233.15")
    assert seen["transaction_date"] == "2017-09-14T00:00:00Z"
    assert seen["external_id"].startswith("bank-content-")


def test_a_name_that_the_bank_does_not_give_is_not_the_users(ada: ApiClient) -> None:
    imported(ada, content("mt940/self-provided/gv_codes.sta"))

    names = {each["full_name"] for each in ada.get("/transactions").json()["results"]}

    assert names == {"PayPal (Europe) S.a.r.l. et", None}


def test_the_banks_own_reference_is_told_apart_from_the_content(ada: ApiClient) -> None:
    imported(ada, content("ofx/checking.ofx"))

    ids = {each["external_id"] for each in ada.get("/transactions").json()["results"]}

    assert len(ids) == 3
    assert all(each.startswith("bank-reference-") for each in ids)


def month(*entries: str) -> bytes:
    head = ":20:X\n:25:DE02120300000000202051\n:60F:C260101EUR0,00\n"
    return (head + "".join(entries) + ":62F:C260228EUR0,00\n-\n").encode()


def coffee(day: str) -> str:
    return f":61:{day}D2,50NMSC\n:86:COFFEE\n"


def test_overlapping_files_are_recorded_as_their_union(ada: ApiClient) -> None:
    january = month(coffee("260110"), coffee("260110"), coffee("260131"))
    both = month(coffee("260110"), coffee("260110"), coffee("260131"), coffee("260201"))

    assert imported(ada, january).rows_created == 3  # two coffees of one day are two
    second = imported(ada, both)

    assert (second.rows_created, second.rows_refused) == (1, 3)
    assert {code for _, _, code in faults(second)} == {"external-id-taken"}
    assert moved() == {"EUR": Decimal("-10.00")}


def test_a_reference_that_the_bank_uses_again_loses_nothing(ada: ApiClient) -> None:
    """`//55555` stands on two entries of a file in the corpus."""
    row = imported(ada, content("mt940/cmxl/mt940.sta"))

    assert row.rows_created == 5
    assert Transaction.objects.filter(currency="EUR").count() == 2


def test_the_same_movement_of_another_account_is_another_one(ada: ApiClient) -> None:
    mine = month(coffee("260110"))

    imported(ada, mine)
    other = imported(ada, mine.replace(b"202051", b"202052"))

    assert other.rows_created == 1


def test_a_worker_that_resumes_goes_on_where_it_was(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transactions.imports.people.BATCH_ROWS", 2)
    answer = upload(ada, content("qif/default.qif")).json()

    stopped = work(answer["id"], must_stop=lambda: True)
    done = work(answer["id"])

    assert (stopped.status, stopped.rows_created) == ("running", 2)
    assert counts(done) == ("done", 8, 0, 0)
    assert moved() == {"USD": Decimal(465000)}


def test_a_description_that_is_too_long_is_cut(ada: ApiClient) -> None:
    long = ":61:260110D2,50NMSC\n:86:" + "\n".join(["word " * 12] * 40) + "\n"

    row = imported(ada, month(long))
    (seen,) = ada.get("/transactions").json()["results"]

    assert row.rows_created == 1
    assert len(seen["description"]) == 1000
    assert seen["description"].endswith("…")


@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("OFXHEADER:100\nCHARSET:1251\n", "cp1251"),
        ("OFXHEADER:100\nCHARSET:1251\n", "utf-8"),  # many say what they are not
        ("OFXHEADER:100\nCHARSET:NONE\n", "cp1252"),
    ],
)
def test_names_are_read_in_the_encoding_that_the_file_is_in(
    ada: ApiClient, head: str, encoding: str
) -> None:
    name = "Żółć" if encoding == "utf-8" else b"\xc6\xe5\xed\xff".decode(encoding)
    entry = f"<STMTTRN><DTPOSTED>20260131<TRNAMT>-1<NAME>{name}</STMTTRN>"

    imported(ada, f"{head}<OFX><STMTRS><CURDEF>EUR{entry}</OFX>".encode(encoding))

    (seen,) = ada.get("/transactions").json()["results"]
    assert seen["full_name"] == name


CAMT = b'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02">%b</Document>'
BOMB = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>"""
FILE_OF_OURS = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY b SYSTEM "file:///etc/passwd">]>"""
V4 = content("camt/camt053.v4.xml")
# And the code with which it fails.
HOSTILE = {
    "an entity bomb": (BOMB + CAMT % b"&b;", "has-doctype"),
    "a file of the machine": (FILE_OF_OURS + CAMT % b"&b;", "has-doctype"),
    "half a file": (V4[:4000], "malformed-xml"),
    "other XML": (
        b'<a xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001">'
        b"urn:iso:std:iso:20022:tech:xsd:camt.053</a>",
        "not-camt",
    ),
    "an unknown encoding": (V4.replace(b"UTF-8", b"UTF-99", 1), "malformed-xml"),
    "an endless line": (b":20:" + b"x" * 100_000, "line-too-long"),
    "half an OFX": (content("ofx/checking.ofx")[:1200], "truncated"),
    "an endless value": (b"<OFX><NAME>" + b"x" * 100_000, "value-too-long"),
    "half a QIF": (content("qif/mint.qif")[:100], "truncated"),
    "a QIF of shares": (b"!Type:Invst\nD1/1/2026\nT1\n^\n", "no-statement"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_or_broken_file_fails_with_a_sentence(ada: ApiClient, what: str) -> None:
    data, code = HOSTILE[what]
    row = imported(ada, data)

    assert (row.status, row.failure) == ("failed", code)
    assert row.failure_detail.endswith(".") or ": " in row.failure_detail
    assert not Transaction.objects.exists()


def pieces() -> Iterator[bytes]:
    for path in sorted(CORPUS.rglob("*")):
        if path.is_file() and recognised(path.read_bytes()):
            yield path.read_bytes()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_whatever_a_file_holds_it_ends_in_a_status(ada: ApiClient, data: Any) -> None:
    original = data.draw(st.sampled_from(list(pieces())))
    start, length = data.draw(st.tuples(st.integers(0, len(original)), st.integers(0, 200)))
    junk = data.draw(st.binary(max_size=50))
    answer = upload(ada, original[:start] + junk + original[start + length :])

    if answer.status_code != 202:
        assert answer.status_code == 400
        return
    row = work(answer.json()["id"])
    assert row.status in {"done", "failed"}
    assert (row.status == "failed") == bool(row.failure) == bool(row.failure_detail)
    assert row.rows_read == row.rows_created + row.rows_refused
