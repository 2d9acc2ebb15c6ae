"""A row of a file gets the same verdict as the same transaction gets from the API."""

import csv
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fido.lib.values import money
from fido.lib.values.strict_json import read_json
from tests.client import ApiClient
from tests.factories import wallet
from tests.imports import imported
from tests.wallets import held
from transactions.api.serializers import TransactionSerializer
from transactions.files.armour import armoured
from transactions.files.columns import FREE_TEXT, OPTIONAL, REQUIRED
from transactions.imports.checking import Checker, Fault
from transactions.imports.layout import CSV, NDJSON, Layout
from transactions.imports.proof import Proof
from transactions.imports.reading import records
from transactions.imports.shares import Person
from transactions.models import Transaction

DEFAULTS = {"currency": "JPY", "full_name": "Jane Doe"}
COLUMNS = (*sorted(REQUIRED), *sorted(OPTIONAL))
# As JSON, because that shows how a number was written.
VALID = {
    "transaction_date": '"2026-01-31"',
    "transaction_amount": '"1"',
    "transaction_type": '"credit"',
}
Verdict = dict[str, Any] | set[tuple[str, str]]

NUMBERS = ["0", "-0", "-1", "1", "1.5", "1.50", "0.001", "1.000", "1e3", "1E-3", "1e400", "0e9"]
NUMBERS += ["1e-400", "9" * 15, "9" * 16, "9" * 400, "-1.5", "1.0", "0.10e1", "123456789.12345"]
AMOUNTS = ["1", "1.00", "1.5", " 1", "1 ", "+1", "-1", "0", "0.0", ".5", "5.", "1e2", "1,5", "NaN"]
AMOUNTS += ["Infinity", "1_000", "١", "1" * 64, "1" * 65, "9" * 15, "9" * 16, "000001", "0x10"]
DATES = ["2026-01-31", "2026-02-30", "2026-01-31T12:00:00Z", "2026-01-31t12:00z", "0001-01-01"]
DATES += ["0001-01-01T00:00+00:01", "9999-12-31T23:59:59.999999999-00:01", "2026-01-31 12:00:00"]
DATES += [
    "2026-1-3",
    "20260131",
    "2026-01-31T24:00",
    "2026-01-31T12:00:00,5",
    "２０２６-01-31",
    "now",
]
DATES += ["2026-01-31T12:00:00+0530", "2026-01-31T12:00:60Z", "2026-W05-6", " 2026-01-31"]
WORDS = ["credit", "debit", "Credit", " credit", "credit ", "CREDIT", "usd", "USD", "KWD", "JPY"]
WORDS += ["XXX", "XAU", "ZZZ", "EUR\n", "None", "null", "True", "['credit']"]
TEXTS = ["", " ", "\t\n", "\u2028", "\ufeff", "a", " a ", "\0", "a\0b", "\ud800", "\ud83d\ude00"]
TEXTS += ["a" * 200, "a" * 201, " " + "a" * 200, "é" * 255, "é" * 256, "x" * 1000, "x" * 1001]
TEXTS += ["\0" * 1001, "\ud800\0", "\ud800" * 300, "=1+1", "'=1", "'", "''", "@x", '"', "a\tb\\N\n"]
OTHERS = [
    "null",
    "true",
    "false",
    "[]",
    "{}",
    '[["a"]]',
    '{"a": 1}',
    '["credit"]',
    "[" * 90 + "]" * 90,
    '" main "',
]
NASTY = [*map(json.dumps, [*AMOUNTS, *DATES, *WORDS, *TEXTS]), *NUMBERS, *OTHERS]


WALLETS = {"main": "the id of main"}
PERSON = Person(1, dict.fromkeys(OPTIONAL) | DEFAULTS, WALLETS)


def line_of(fields: dict[str, str]) -> str:
    """A line of NDJSON from values that are already JSON."""
    members = ", ".join(f"{json.dumps(name)}: {value}" for name, value in fields.items())
    return f"{{{members}}}"


def by_api(given: Any) -> Verdict:
    """The fields to record, or pointers and codes of the API's refusal."""
    serializer = TransactionSerializer(data=given)
    if not serializer.is_valid():
        details: Any = serializer.errors
        # An unknown field has a single error, not a list.
        return {
            (name, kebab(error.code))
            for name, errors in details.items()
            for error in (errors if isinstance(errors, list) else [errors])
        }
    values: dict[str, Any] = dict.fromkeys(OPTIONAL) | DEFAULTS | serializer.validated_data
    if values["wallet"] is not None and values["wallet"] not in WALLETS:
        return {("wallet", "unknown-wallet")}
    values["wallet"] = values["wallet"] and WALLETS[values["wallet"]]
    try:
        # operations.record checks this first.
        money.require_decimals(values["transaction_amount"], values["currency"])
    except money.MalformedAmount as error:
        return {("transaction_amount", error.code)}
    return values


def kebab(code: str) -> str:
    return code.replace("_", "-")


def by_import(raw: Any, layout: Layout | None = None) -> Verdict:
    checked = Checker(layout or Layout(NDJSON)).check(raw, PERSON)
    return checked if isinstance(checked, dict) else {(f.column, f.code) for f in checked}


def assert_same(ours: Verdict, theirs: Verdict) -> None:
    if isinstance(theirs, set) and isinstance(ours, set):
        # The API checks unknown fields last and names them; a file may have any names.
        known = {(name, code) for name, code in theirs if code != "unknown"}
        theirs = known or {("", "unknown")}
        ours = ours - {("", "unknown")} or ours
        # It also looks up a wallet only if everything else is valid.
        ours = ours - {("wallet", "unknown-wallet")} or ours
    assert ours == theirs


def assert_judged_alike(line: str) -> None:
    assert_same(by_import(line), by_api(read_json(line)))


@pytest.mark.parametrize("value", NASTY, ids=lambda value: ascii(value)[:20])
def test_a_value_is_taken_or_refused_in_each_column_as_by_the_api(value: str) -> None:
    for name in COLUMNS:
        assert_judged_alike(line_of(VALID | {name: value}))
        for currency in ('"USD"', '"KWD"', '"CLF"'):
            assert_judged_alike(line_of(VALID | {"currency": currency} | {name: value}))


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_left_out_is_missed_or_defaulted_as_by_the_api(name: str) -> None:
    complete = VALID | {"full_name": '"A"', "currency": '"USD"', "description": '"d"'}
    assert_judged_alike(line_of({k: v for k, v in complete.items() if k != name}))


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=300)
ANY_VALUE: st.SearchStrategy[str] = st.one_of(
    st.sampled_from(NASTY),
    ANY_TEXT.map(json.dumps),
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(lambda d: str(d).lower()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | ANY_TEXT,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
        max_leaves=5,
    ).map(json.dumps),
)
LIKELY = {
    "transaction_date": st.sampled_from([*map(json.dumps, DATES)]),
    "transaction_amount": st.sampled_from([*NUMBERS, *map(json.dumps, AMOUNTS)]),
    "transaction_type": st.sampled_from(['"credit"', '"debit"', '"Debit"']),
    "currency": st.sampled_from(['"USD"', '"JPY"', '"KWD"', '"usd"', "null"]),
}
OBJECTS = st.fixed_dictionaries(
    {name: LIKELY[name] | ANY_VALUE for name in REQUIRED},
    optional={name: LIKELY.get(name, ANY_VALUE) | ANY_VALUE for name in OPTIONAL}
    | {"transaction_amout": ANY_VALUE},
)


@settings(max_examples=1000, deadline=None)
@given(OBJECTS, st.sets(st.sampled_from(COLUMNS), max_size=2))
def test_objects_of_any_values_are_judged_as_by_the_api(
    fields: dict[str, str], left_out: set[str]
) -> None:
    assert_judged_alike(line_of({k: v for k, v in fields.items() if k not in left_out}))


def test_a_field_that_is_not_known_is_refused_as_by_the_api() -> None:
    line = line_of(VALID | {"transaction_amout": '"1"'})

    assert by_import(line) == {("", "unknown")}
    assert_judged_alike(line)


# What a file can contain: a NUL or a lone surrogate refuses the whole upload.
CELLS = [text for text in [*AMOUNTS, *DATES, *WORDS, *TEXTS] if not {"\0", "\ud800"} & {*text}]
CELL = st.sampled_from(CELLS) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300
)


def row_of(cells: dict[str, str], separator: str) -> tuple[Any, Layout]:
    """The cells as a spreadsheet writes them, parsed back by the reader."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerows([cells.keys(), [_written(*item) for item in cells.items()]])
    layout = Layout(CSV, separator, tuple(cells))
    text.seek(0)
    ((line, raw),) = records(text, layout, Proof())
    assert line == 2
    return raw, layout


def _written(name: str, cell: str) -> str:
    return armoured(cell) if name in FREE_TEXT else cell


def meant(cells: dict[str, str]) -> Iterator[tuple[str, str | None]]:
    """An empty cell means null if null is a value, and is otherwise left out."""
    for name, cell in cells.items():
        text = cell.strip()
        if text or name in FREE_TEXT:
            yield name, text or None


VALID_CELLS = {name: json.loads(value) for name, value in VALID.items()}


@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_cell_is_taken_or_refused_as_its_text_by_the_api(name: str, separator: str) -> None:
    for cell in CELLS:
        if separator == "," or name != "transaction_amount" or not {",", "."} & {*cell}:
            cells = VALID_CELLS | {name: cell}
            assert_same(by_import(*row_of(cells, separator)), by_api(dict(meant(cells))))


LIKELY_CELLS = {
    "transaction_date": st.sampled_from(DATES),
    "transaction_amount": st.sampled_from(AMOUNTS),
    "transaction_type": st.sampled_from(["credit", "debit", ""]),
    "currency": st.sampled_from(["", "USD", "KWD", "usd"]),
}
ROWS = st.fixed_dictionaries({name: LIKELY_CELLS.get(name, CELL) | CELL for name in COLUMNS})


@settings(max_examples=1000, deadline=None)
@given(ROWS.filter(lambda cells: any(map(str.strip, cells.values()))), st.sampled_from(",;"))
def test_cells_of_any_text_are_judged_as_by_the_api(cells: dict[str, str], separator: str) -> None:
    # The next tests cover points and commas with semicolons as separators.
    assume(separator == "," or not {",", "."} & {*cells["transaction_amount"]})

    assert_same(by_import(*row_of(cells, separator)), by_api(dict(meant(cells))))


@pytest.mark.parametrize(
    ("cell", "amount"),
    [
        ("1,50", "1.50"),
        ("1.50", "1.50"),
        ("0,5", "0.5"),
        ("1234567,89", "1234567.89"),
        ("1", "1"),
    ],
)
def test_a_comma_is_a_decimal_point_where_semicolons_separate(cell: str, amount: str) -> None:
    cells = {"transaction_date": "2026-01-31", "transaction_type": "debit", "currency": "USD"}

    values = by_import(*row_of(cells | {"transaction_amount": cell}, ";"))

    assert isinstance(values, dict)
    assert values["transaction_amount"] == Decimal(amount)


@pytest.mark.parametrize("cell", ["1.234", "1.234,56", "1.234.567", "12.345", "123.456,7"])
def test_thousands_are_refused_where_semicolons_separate(cell: str) -> None:
    cells = {"transaction_date": "2026-01-31", "transaction_type": "debit", "currency": "KWD"}
    raw, layout = row_of(cells | {"transaction_amount": cell}, ";")

    (fault,) = Checker(layout).check(raw, PERSON)

    detail = "Write thousands without a point: 1234,50."
    assert fault == Fault("transaction_amount", "invalid", detail)


@pytest.mark.parametrize(
    "cell", ["1 234,50", "1'234,50", "1,234,567", "1.50,0", "1,2.3", ",", "1,"]
)
def test_other_uses_of_a_comma_are_no_amount(cell: str) -> None:
    cells = {"transaction_date": "2026-01-31", "transaction_type": "debit"}

    verdict = by_import(*row_of(cells | {"transaction_amount": cell}, ";"))

    assert verdict == {("transaction_amount", "invalid")}


@pytest.mark.parametrize(("cell", "code"), [("1,50", "invalid"), ("1.234", "too-many-decimals")])
def test_a_comma_is_no_decimal_point_where_commas_separate(cell: str, code: str) -> None:
    cells = {"transaction_date": "2026-01-31", "transaction_type": "debit", "currency": "USD"}

    verdict = by_import(*row_of(cells | {"transaction_amount": cell}, ","))

    assert verdict == {("transaction_amount", code)}


MALFORMED = ["{", "[]", "1", "null", '"x"', '{"a": NaN}', '{"a": Infinity}', "[" * 9999, "{]"]
MALFORMED += ['{"a": 1, "a": 1}', '{"a": ' + "9" * 5000 + "}", '{"a": 1e9999999999999999999}']
MALFORMED += ['{"a":' * 9999, "\ufeff{}", "{'a': 1}", '{"a": 1} {"b": 2}', '{"a": "\t"}']


@pytest.mark.parametrize("line", MALFORMED, ids=lambda line: ascii(line)[:20])
def test_a_line_that_is_no_json_object_is_malformed(line: str) -> None:
    assert by_import(line) == {("", "malformed-row")}


def test_unknown_fields_are_told_once_and_never_by_name() -> None:
    line = line_of(VALID | {f"Jane Doe {number}": "1" for number in range(500)})

    checked = Checker(Layout(NDJSON)).check(line, PERSON)

    assert checked == [Fault("", "unknown", "The row has an unknown field.")]


def test_what_an_export_adds_is_ignored_whatever_it_holds() -> None:
    added = dict.fromkeys(("id", "created_at", "updated_at"), "[null]")

    assert by_import(line_of(VALID | added)) == by_import(line_of(VALID))


@pytest.mark.django_db(transaction=True)
def test_rows_are_stored_as_the_api_stores_them(ada: ApiClient, spool_folder: Any) -> None:
    texts = json.dumps("\\N \t Zoë \\ 'x' \ud83d\ude00 \x0b\x08 \u2028 \\.")
    main = wallet(ada.user)  # type: ignore[arg-type]
    extra = dict.fromkeys(FREE_TEXT, texts) | {"wallet": '"main"'}
    lines = [line_of(VALID | more) for more in ({}, extra, {"full_name": "null"})]
    lines[0] = lines[0].replace("2026-01-31", "0001-01-01T01:00:00.123456+00:30")
    lines[2] = lines[2].replace("2026-01-31", "9999-12-31").replace('"1"', "9" * 15)
    for line in lines:
        assert ada.request("post", "/transactions", line).status_code == 201
    recorded = _stored()
    Transaction.objects.filter(user_id=ada.user_id).update(external_id=None)

    row = imported(ada, "\n".join(lines).encode())

    assert (row.rows_created, row.errors) == (3, [])
    assert _stored()[3:] == recorded
    assert held(main) == {"USD": 2}


def _stored() -> list[dict[str, Any]]:
    own = {"id", "created_at", "updated_at"}
    rows = Transaction.objects.order_by("id").values()
    return [{k: v for k, v in row.items() if k not in own} for row in rows]
