"""Foreign CSV through the API: each file of the corpus comes in to the cent, and never twice."""

import gzip
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.client import ApiClient
from tests.flows.refusals import refused
from tests.imports import HEADER as HEADER_OF_OURS
from tests.imports import csv, faults, imported, upload, work
from tests.transactions.mappings.files import ALL, CARD, NUMBERED, RECOGNISED, WITH_MAPPING, content
from transactions.mappings.shipped import shipped
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def sums() -> dict[str, tuple[Decimal, Decimal]]:
    """Credits and debits by currency."""
    found: dict[str, list[Decimal]] = {}
    for row in Transaction.objects.all():
        sides = found.setdefault(row.currency, [Decimal(0), Decimal(0)])
        sides[row.transaction_type == "debit"] += row.transaction_amount
    return {currency: (credit, debit) for currency, (credit, debit) in found.items()}


def results(client: ApiClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(path).json()["results"]
    return found


def fields(mapping: Any) -> dict[str, str]:
    return {} if mapping is None else {"mapping": json.dumps(mapping)}


@pytest.mark.parametrize("name", ALL)
def test_a_file_is_recorded_to_the_cent_and_never_twice(ada: ApiClient, name: str) -> None:
    expected = ALL[name]

    first = imported(ada, content(name), **fields(expected.mapping))
    recorded = sums()
    again = imported(ada, content(name), **fields(expected.mapping))

    assert (first.rows_created, first.rows_refused) == (expected.rows, expected.refused)
    assert recorded == {
        currency: (Decimal(credit), Decimal(debit))
        for currency, (credit, debit) in expected.sums.items()
    }
    assert (again.rows_created, again.rows_refused) == (0, expected.rows + expected.refused)
    assert sums() == recorded


@pytest.mark.parametrize("name", RECOGNISED)
def test_what_a_file_was_taken_for_is_told(ada: ApiClient, name: str) -> None:
    answer = upload(ada, content(name)).json()

    assert (answer["format"], answer["guessed"]) == ("csv", False)
    assert "transaction_date" in {each["role"] for each in answer["mapping"]["columns"].values()}


@pytest.mark.parametrize("name", WITH_MAPPING)
def test_what_the_file_does_not_tell_is_refused_with_what_to_do(ada: ApiClient, name: str) -> None:
    answer = upload(ada, content(name))

    assert answer.status_code == 400
    assert "Send a mapping" in answer.json()["detail"]


HEADER = "Buchungstag;Empfänger;Verwendungszweck;Betrag;Währung"
JANUARY = (
    "31.01.2026;Café;Kaffee;-2,50;EUR",
    "31.01.2026;Café;Kaffee;-2,50;EUR",
    "30.01.2026;Arbeit;Lohn;1.200,00;EUR",
)
LATER = ("01.02.2026;Café;Kaffee;-2,50;EUR", "31.01.2026;Café;Kaffee;-2,50;EUR")


def german(*lines: str, header: str = HEADER, encoding: str = "cp1252") -> bytes:
    return "\r\n".join([header, *lines, ""]).encode(encoding)


def test_a_guess_is_told_and_what_it_says_can_be_sent_again(ada: ApiClient) -> None:
    told = upload(ada, german(*JANUARY)).json()
    Transaction.objects.all().delete()

    again = imported(ada, german(*JANUARY), mapping=json.dumps(told["mapping"]))

    assert told["guessed"] is True
    assert told["mapping"]["encoding"] == "cp1252"
    assert told["mapping"]["decimal"] == ","
    assert again.rows_created == 3
    assert again.layout["mapping"] == told["mapping"]
    assert again.layout["is_guessed"] is False


def test_overlapping_months_are_their_union_once(ada: ApiClient) -> None:
    first = imported(ada, german(*JANUARY))
    second = imported(ada, german(*LATER, *JANUARY))

    assert first.rows_created == 3
    # The three equal coffees of the second file are one more than in the first.
    assert second.rows_created == 2
    assert sums() == {"EUR": (Decimal(1200), Decimal(10))}


def test_the_same_movement_in_another_wallet_is_another_one(ada: ApiClient) -> None:
    for name in ("one", "two"):
        assert ada.post("/wallets", {"name": name}).status_code == 201
        opened = {"currency": "EUR", "amount": "10.00"}
        assert ada.post(f"/wallets/{name}/currencies", opened).status_code == 201
        mapping = upload(ada, german(*JANUARY)).json()["mapping"]
        mapping["constants"] = {"wallet": name}
        assert imported(ada, german(JANUARY[0]), mapping=json.dumps(mapping)).rows_created == 1

    held = {
        each["amount"] for n in ("one", "two") for each in results(ada, f"/wallets/{n}/currencies")
    }
    assert held == {"7.50"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_a_name_comes_in_as_it_is_written_in_each_encoding(ada: ApiClient, encoding: str) -> None:
    row = imported(ada, german(*JANUARY, encoding=encoding))

    assert row.rows_created == 3
    assert {each["full_name"] for each in results(ada, "/transactions")} == {"Café", "Arbeit"}


def test_an_encoding_that_is_named_is_used(ada: ApiClient) -> None:
    data = german(
        "31.01.2026;Żółw;Łódź;-2,50;PLN", encoding="cp1250", header=HEADER.replace("ä", "a")
    )
    mapping = upload(ada, data).json()["mapping"] | {"encoding": "cp1250"}

    row = imported(ada, data, mapping=json.dumps(mapping))

    assert row.rows_created == 1
    assert results(ada, "/transactions")[0]["full_name"] == "Żółw"


def test_lines_before_the_header_are_skipped(ada: ApiClient) -> None:
    row = imported(ada, german(*JANUARY, header=f"Konto;DE02\r\n\r\nSaldo;12,00 EUR\r\n{HEADER}"))

    assert row.rows_created == 3
    assert row.layout["mapping"]["skip_lines"] == 3


def test_what_a_row_lacks_is_told_by_line_and_column(ada: ApiClient) -> None:
    bad = ("31.02.2026;A;B;-2,50;EUR", "31.01.2026;A;B;zwei;QQQ", "Summe;;;;", "31.01.2026;A;B")

    row = imported(ada, german(*JANUARY, *bad))

    assert row.rows_created == 3
    assert faults(row) == [
        (5, "transaction_date", "invalid"),
        (6, "transaction_amount", "invalid"),
        (6, "currency", "invalid-choice"),
        (7, "transaction_date", "invalid"),
        (7, "transaction_amount", "invalid"),
        (8, "", "wrong-number-of-cells"),
    ]


def test_one_cell_too_many_is_never_taken_for_an_id(ada: ApiClient) -> None:
    row = imported(
        ada, german(*JANUARY, "31.01.2026;A;B;-2,50;EUR;mine", "30.01.2026;A;B;-2,50;EUR;")
    )

    assert faults(row) == [(5, "", "wrong-number-of-cells")]
    assert row.rows_created == 4


def test_what_is_not_booked_is_left_out_and_counted(ada: ApiClient) -> None:
    header = f"{HEADER};Status"
    lines = [f"{JANUARY[0]};booked", f"{JANUARY[1]};Pending", f"{JANUARY[2]};booked"]

    row = imported(ada, german(*lines, header=header))

    assert (row.rows_created, row.rows_pending) == (2, 1)


def test_a_word_that_the_mapping_does_not_have_is_refused(ada: ApiClient) -> None:
    header = f"{HEADER};Status"
    mapping = upload(ada, german(f"{JANUARY[0]};booked", header=header)).json()["mapping"]

    row = imported(
        ada, german(f"{JANUARY[0]};reversed", header=header), mapping=json.dumps(mapping)
    )

    assert faults(row) == [(2, "", "invalid")]


MAPPINGS = {
    "{": "cannot be read as JSON",
    "{}": "1 to 200 columns",
    '{"columns": {"a": {"role": "amount"}}}': "a `role`, one of",
    '{"columns": {"a": {"role": "transaction_date"}}}': "No column is an amount",
    "nobodys": "no mapping of this name",
}


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_a_mapping_that_cannot_be_used_is_refused_whole(
    ada: ApiClient, folder: Path, mapping: str
) -> None:
    answer = upload(ada, german(*JANUARY), mapping=mapping)

    assert answer.status_code == 400
    assert MAPPINGS[mapping] in answer.content.decode()
    assert list(folder.iterdir()) == []


def test_a_mapping_whose_columns_are_not_there_is_refused(ada: ApiClient) -> None:
    refused(upload(ada, german(*JANUARY), mapping="chase-card"), 400, "missing-column")


def test_a_mapping_is_for_csv_alone(ada: ApiClient) -> None:
    refused(upload(ada, b'{"a": 1}\n', mapping="gls"), 400, "mapping-not-needed")


def test_a_file_of_our_own_may_have_a_mapping_as_well(ada: ApiClient) -> None:
    data = b"transaction_date,transaction_amount,transaction_type\n2026-01-31,5,credit\n"
    columns = {
        "transaction_date": {"role": "transaction_date"},
        "transaction_amount": {"role": "signed_amount", "negate": True},
    }

    row = imported(ada, data, mapping=json.dumps({"columns": columns}))

    assert row.rows_created == 1
    assert results(ada, "/transactions")[0]["transaction_type"] == "debit"


def test_a_row_that_would_be_taken_for_the_header_is_not_lost(ada: ApiClient) -> None:
    data = b"2026-01-02;Tea;-1,20\n2026-01-03;Tea;-4,50\n"
    roles = ["transaction_date", "description", "signed_amount"]
    named = dict(zip(("2026-01-02", "Tea", "-1,20"), roles, strict=True))
    numbered = dict(zip("123", roles, strict=True))

    def columns(of: dict[str, str], **more: bool) -> str:
        return json.dumps({"columns": {name: {"role": role} for name, role in of.items()}, **more})

    refused(upload(ada, data, mapping=columns(named)), 400, "no-header")
    assert imported(ada, data, mapping=columns(numbered, header=False)).rows_created == 2


@st.composite
def damaged(draw: st.DrawFn) -> tuple[bytes, dict[str, str]]:
    """A file of the corpus with a piece replaced, or nothing but bytes; and a mapping or none."""
    original = draw(st.sampled_from([content(name) for name in ALL]) | st.binary(max_size=200))
    start, length = draw(st.tuples(st.integers(0, len(original)), st.integers(0, 200)))
    junk = draw(st.binary(max_size=50) | st.sampled_from([b'"', b"\n", b";;;;", b"\xff\xfe"]))
    data = original[:start] + junk + original[start + length :]
    if draw(st.booleans()):
        data = gzip.compress(data)
    mapping = draw(st.sampled_from([None, json.dumps(CARD), json.dumps(NUMBERED), *shipped()]))
    return data, {} if mapping is None else {"mapping": mapping}


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(file=damaged(), is_rehearsed=st.booleans())
def test_whatever_is_sent_is_taken_whole_or_refused_whole(
    ada: ApiClient, folder: Path, file: tuple[bytes, dict[str, str]], is_rehearsed: bool
) -> None:
    data, mapping = file
    before = Transaction.objects.count()

    answer = upload(ada, data, query="?dry_run=true" if is_rehearsed else "", **mapping)

    assert answer.status_code in {200, 202, 400}
    if answer.status_code != 202:
        assert Transaction.objects.count() == before
        assert [path for path in folder.iterdir() if path.suffix == ".spool"] == []
        return
    row = work(answer.json()["id"])
    assert row.status in {"done", "failed"}
    assert row.rows_read == row.rows_created + row.rows_refused
    assert Transaction.objects.count() == before + row.rows_created


def test_a_list_of_imports_has_no_mappings(ada: ApiClient) -> None:
    upload(ada, content("chase.csv"))

    (listed,) = results(ada, "/imports")

    assert "mapping" not in listed
    assert listed["guessed"] is False


MASKED = "id,user_id,masked_full_name,transaction_date,transaction_amount,transaction_type,currency"


def test_an_export_with_masked_names_is_not_taken_for_a_banks_file(ada: ApiClient) -> None:
    line = "0,7,A••• L•••,2026-01-31T00:00:00Z,5.00,debit,EUR"

    answer = upload(ada, f"{MASKED}\n{line}\n".encode())

    refused(answer, 400, "unknown-column")


def test_rows_of_several_people_do_not_come_in_as_ones(ada: ApiClient) -> None:
    lines = [f"{7 + n},2026-01-31,-5.00" for n in range(2)]

    answer = upload(ada, "\n".join(["User ID,Date,Amount", *lines, ""]).encode())

    refused(answer, 400, "several-people")


def test_a_file_of_our_own_is_in_utf_8(ada: ApiClient) -> None:
    ours = csv("2026-01-31,5,credit,7", header=f"{HEADER_OF_OURS},user_id")

    refused(upload(ada, ours.decode().encode("utf-16")), 400, "not-utf-8")
