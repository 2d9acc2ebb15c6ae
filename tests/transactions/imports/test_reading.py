"""Every way to write a file, and the line on which each row begins."""

import io
import tracemalloc
from itertools import chain, islice, repeat
from typing import Any

import pytest

from transactions.imports.header import UploadRefused, layout_of
from transactions.imports.layout import CSV, MAX_ROW_LENGTH, NDJSON, Layout
from transactions.imports.proof import Proof
from transactions.imports.reading import Unreadable, records

HEADER = "transaction_date,transaction_amount,transaction_type"
COMMAS = layout_of(HEADER)


def read(text: str, layout: Layout = COMMAS) -> list[Any]:
    return list(records(io.StringIO(text, newline=""), layout, Proof()))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like(end: str) -> None:
    text = end.join([HEADER, "1,2,3", "", '"4', '5",6,7', "8,9,10"])

    assert read(text) == [(2, ["1", "2", "3"]), (4, [f"4{end}5", "6", "7"]), (6, ["8", "9", "10"])]


def test_blank_lines_and_rows_of_separators_only_are_left_out_and_counted() -> None:
    text = f'\n \t\n{HEADER}\n\n,,\n " ",,\n"",""\n1,2,3\n\n\n4,5,6\n,,\n'

    assert read(text) == [(6, [' " "', "", ""]), (8, ["1", "2", "3"]), (11, ["4", "5", "6"])]


def test_quotes_hold_separators_newlines_and_quotes() -> None:
    (row,) = read(f'{HEADER}\n"a, ""b""\n\nc","","d"\n')

    assert row == (2, ['a, "b"\n\nc', "", "d"])


def test_line_numbers_hold_after_quoted_newlines_and_after_what_is_no_row() -> None:
    text = f'{HEADER}\n"a\nb\nc",1,2\n"d"e,1,2\n3,4,5\n"f\ng"h,1,2\n6,7,8\n'

    assert read(text) == [
        (2, ["a\nb\nc", "1", "2"]),
        (5, Unreadable(5)),
        (6, ["3", "4", "5"]),
        (7, Unreadable(8)),
        (9, ["6", "7", "8"]),
    ]


def test_a_quote_that_never_closes_costs_all_up_to_the_end() -> None:
    text = f'{HEADER}\n1,2,3\n4,5,"6\n7,8,9\n10,11,12\n'

    assert read(text) == [(2, ["1", "2", "3"]), (3, Unreadable(5))]


ROWS = MAX_ROW_LENGTH // len("1,2,3\n")


def test_a_quote_that_never_closes_costs_as_much_as_a_row_may_have_and_no_more() -> None:
    first, *others = read(f'{HEADER}\n"' + "1,2,3\n" * (2 * ROWS))

    assert first == (2, Unreadable(ROWS + 2))
    assert others == [(number, ["1", "2", "3"]) for number in range(ROWS + 3, 2 * ROWS + 2)]


@pytest.mark.parametrize("line", ["1,2,3\n", '","\n', "x" * (MAX_ROW_LENGTH - 1) + "\n"])
def test_a_row_without_end_is_not_read_into_memory(line: str) -> None:
    """A single cell, ever more cells, and long lines."""
    lines = chain([f"{HEADER}\n", '"\n'], repeat(line, 20 * 1024 * 1024 // len(line)))

    tracemalloc.start()
    first, *_ = islice(records(lines, COMMAS, Proof()), 1)  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert first == (2, Unreadable(2 + (MAX_ROW_LENGTH - 2) // len(line) + 1))
    assert peak < 40 * MAX_ROW_LENGTH


@pytest.mark.parametrize(
    "header",
    [
        # The CSV reader fails on the first one.
        'transaction_date,transaction_amount,"transaction_type" ',
        '  "transaction_date",transaction_amount,transaction_type\t',
        '"transaction_date","transaction_amount","transaction_type"',
        "Transaction_Date , TRANSACTION_AMOUNT,transaction_type\u2028",
        "\x0c\u2003transaction_date,transaction_amount,transaction_type\x85",
    ],
)
def test_the_header_never_swallows_the_first_row(header: str) -> None:
    layout = layout_of(header)

    assert layout == COMMAS
    assert read(f"\n{header}\n1,2,3\n", layout) == [(3, ["1", "2", "3"])]


def test_columns_come_in_any_order_and_optional_ones_may_be_missing() -> None:
    layout = layout_of("External_ID;transaction_type;TRANSACTION_DATE;id;transaction_amount")

    columns = ("external_id", "transaction_type", "transaction_date", "id", "transaction_amount")
    assert layout == Layout(CSV, ";", columns)
    assert read("x\na;debit,;2026;;1,5\n", layout) == [(2, ["a", "debit,", "2026", "", "1,5"])]


def test_only_the_line_ends_of_files_end_a_line() -> None:
    odd = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"

    assert read(f"{HEADER}\n{odd}a{odd},1,2\n") == [(2, [f"{odd}a{odd}", "1", "2"])]
    assert read(f'{{"a": "{odd}"}}\n', Layout(NDJSON)) == [(1, f'{{"a": "{odd}"}}')]


def test_each_line_of_ndjson_that_is_not_blank_is_a_row() -> None:
    assert read('\n{"a": 1}\r\n \r\n  {}\t\r[1]\n', Layout(NDJSON)) == [
        (2, '{"a": 1}'),
        (4, "{}"),
        (5, "[1]"),
    ]


@pytest.mark.parametrize("line", ["{}", ' {"a": 1}', "{nonsense"])
def test_a_line_that_begins_with_a_brace_is_ndjson(line: str) -> None:
    assert layout_of(line) == Layout(NDJSON)


REFUSED = {
    "2026-01-31,19.99,credit,Jane Doe": "unknown-column",
    "Jane Doe;1;2": "unknown-column",
    "transaction_date\ttransaction_amount\ttransaction_type": "unknown-column",
    HEADER + ",": "unknown-column",
    HEADER + ",Jane": "unknown-column",
    "sep=;": "unknown-column",
    "transaction_date,transaction\u2028_amount,transaction_type": "unknown-column",
    "%PDF-1.7": "unknown-column",
    HEADER + ",Transaction_Date": "repeated-column",
    "transaction_date,transaction_amount": "missing-column",
    "id": "missing-column",
    '"transaction_date': "malformed-header",
    '"transaction_date"x,transaction_amount': "malformed-header",
    '[{"transaction_date": "2026-01-31"}]': "json-array",
}


@pytest.mark.parametrize("line", REFUSED, ids=lambda line: ascii(line)[:24])
def test_an_invalid_header_is_refused_without_quoting_it(line: str) -> None:
    with pytest.raises(UploadRefused) as refusal:
        layout_of(line)

    assert refusal.value.code == REFUSED[line]
    for word in ("Jane", "2026", "19.99", "credit", "PDF"):
        assert word not in refusal.value.detail
