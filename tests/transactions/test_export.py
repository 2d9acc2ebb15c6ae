"""GET /transactions/export: everything that the list shows, as CSV and as NDJSON."""

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessLogEntry
from analytics import queries as analytics
from fido.lib.values import clock
from tests.client import ApiClient
from tests.exports import EXPORT, NOON, body, cells, objects, user_of
from tests.factories import UserFactory, record
from tests.flows.test_user_scope import every_statement_scoped
from tests.histories import add_copies
from tests.key_rings import store
from tests.staff import refuse_entries
from transactions.exports import BATCH_ROWS
from transactions.files.armour import bare
from transactions.files.columns import FREE_TEXT
from transactions.files.columns import NAMES as COLUMNS
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


def in_clear(row: dict[str, str]) -> dict[str, Any]:
    """A line of CSV with the values in the API's format."""
    texts = {name: bare(row[name]) if row[name] else None for name in FREE_TEXT}
    return row | {"user_id": int(row["user_id"])} | texts


@pytest.fixture
def history(ada: ApiClient, ben: ApiClient) -> list[Transaction]:
    """Several kinds, a day apart; Ben has the same."""
    kinds: list[dict[str, Any]] = [
        {"transaction_amount": Decimal("5.00"), "external_id": "-a"},
        {"transaction_amount": Decimal("10.00"), "transaction_type": "debit"},
        {"transaction_amount": Decimal(500), "currency": "JPY", "full_name": "José Núñez"},
        {"transaction_amount": Decimal("0.125"), "currency": "KWD", "description": '"a",\r\n;=b'},
        {"transaction_amount": Decimal("10.01"), "full_name": None, "transaction_type": "debit"},
    ]
    return [
        record(user_of(client), **{"transaction_date": NOON + timedelta(days=day), **kind})
        for client in (ben, ada)
        for day, kind in enumerate(kinds)
    ]


FILTERS: list[dict[str, str]] = [
    {},
    {"order": "transaction_date"},
    {"start": "2026-01-02", "end": "2026-01-03"},
    {"transaction_type": "debit"},
    {"currency": "JPY"},
    {"min_amount": "5", "max_amount": "10.00"},
    {"external_id": "-a"},
    {"full_name": "jose nunez"},
    {"currency": "EUR"},
]


@pytest.mark.parametrize("filters", FILTERS, ids=str)
def test_each_filter_and_order_give_what_the_list_gives(
    ada: ApiClient, history: list[Transaction], filters: dict[str, str]
) -> None:
    listed = ada.get("/transactions", **filters).json()["results"]

    assert objects(ada, **filters) == listed
    assert [in_clear(row) for row in cells(ada, **filters)] == listed


def test_csv_is_that_of_rfc_4180(ada: ApiClient) -> None:
    row = record(user_of(ada), full_name="=cmd()", description='He said "no",\nthen left')
    times = (clock.text(row.created_at), clock.text(row.updated_at))

    head, line, end = body(ada).split("\r\n")

    assert head == ",".join(COLUMNS)
    assert line == (
        f"{row.pk},{ada.user_id},'=cmd(),2026-01-31T12:00:00Z,10.00,credit,USD,"
        f'"He said ""no"",\nthen left",,,,{times[0]},{times[1]}'
    )
    assert end == ""


def test_no_transactions_are_a_file_with_nothing_but_its_head(ada: ApiClient) -> None:
    assert body(ada) == ",".join(COLUMNS) + "\r\n"
    assert body(ada, format="ndjson") == ""


def test_more_rows_than_are_fetched_at_once_are_all_there_once(ada: ApiClient) -> None:
    add_copies(record(user_of(ada)), 2 * BATCH_ROWS)

    ids = [row["id"] for row in objects(ada, order="transaction_date")]

    ordered = Transaction.objects.filter(user_id=ada.user_id).order_by("transaction_date", "id")
    assert ids == [str(pk) for pk in ordered.values_list("pk", flat=True)]
    assert len(ids) == 2 * BATCH_ROWS + 1


def test_what_is_exported_and_recorded_again_gives_the_same_analytics(
    ada: ApiClient, history: list[Transaction]
) -> None:
    copy = UserFactory.create(full_name="Ada Lovelace")

    for row in map(in_clear, cells(ada)):
        made = ("id", "user_id", "created_at", "updated_at")
        values = {name: value for name, value in row.items() if name not in made}
        assert ApiClient(copy).post("/transactions", values).status_code == 201

    first, second = (
        analytics.summary(user_id=pk, period=clock.Period()) for pk in (ada.user_id, copy.pk)
    )
    assert first == second
    assert {row["description"] for row in objects(ada)} == {
        row["description"] for row in objects(ApiClient(copy))
    }


def test_a_line_holds_no_other_line_end(ada: ApiClient) -> None:
    record(user_of(ada), description="one\u2028two\x85three\r\nfour")

    (line,) = body(ada, format="ndjson").splitlines()

    assert json.loads(line)["description"] == "one\u2028two\x85three\r\nfour"


def test_a_damaged_token_is_null_and_leaves_the_file_whole(
    ada: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    record(user_of(ada), transaction_date=NOON)
    store(record(user_of(ada)), "full_name", b"gAAAAA-not-a-token")

    assert [row["full_name"] for row in cells(ada)] == ["", "Jane Doe"]
    assert [row["full_name"] for row in objects(ada)] == [None, "Jane Doe"]


class TestAnswer:
    def test_it_is_a_file_that_nobody_keeps(self, ada: ApiClient) -> None:
        for form, media_type in (
            ("csv", "text/csv; charset=utf-8"),
            ("ndjson", "application/x-ndjson"),
        ):
            answer = ada.get(EXPORT, format=form)
            answer.getvalue()
            assert answer.headers["Content-Type"] == media_type
            disposition = f'attachment; filename="transactions.{form}"'
            assert answer.headers["Content-Disposition"] == disposition
            assert answer.headers["Cache-Control"] == "private, no-store"
            assert answer.headers["X-Accel-Buffering"] == "no"
            assert answer.headers["X-Request-ID"]

    @pytest.mark.parametrize("accept", ["text/csv", "application/json", "text/html", "é"])
    def test_its_form_is_the_parameters_and_not_the_headers(
        self, ada: ApiClient, accept: str
    ) -> None:
        answer = ada.request("get", EXPORT, HTTP_ACCEPT=accept)

        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert answer.getvalue().startswith(b"id,")

    def test_head_says_the_same_and_reads_no_row(self, ada: ApiClient) -> None:
        get = ada.get(EXPORT)
        get.getvalue()
        with CaptureQueriesContext(connection) as queries:
            head = ada.request("head", EXPORT)

        assert (head.status_code, head.getvalue()) == (200, b"")
        names = ("Content-Type", "Content-Disposition", "Cache-Control")
        assert [head.headers[name] for name in names] == [get.headers[name] for name in names]
        assert [q for q in queries if "transactions_transaction" in q["sql"]] == []

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_it_is_only_read(self, ada: ApiClient, method: str) -> None:
        assert ada.request(method, EXPORT).status_code == 405
        assert "GET, HEAD, OPTIONS" in ada.request("options", EXPORT).headers["Allow"]

    def test_head_of_a_bad_query_is_refused(self, ada: ApiClient) -> None:
        assert ada.request("head", f"{EXPORT}?colour=blue").status_code == 400

    def test_http_1_0_could_not_tell_a_break_from_the_end(self, ada: ApiClient) -> None:
        answer = ada.request("get", EXPORT, SERVER_PROTOCOL="HTTP/1.0")

        assert (answer.status_code, answer.json()["code"]) == (400, "http-version-too-old")

    def test_a_file_costs_the_same_statements_however_many_rows_fit(
        self, ada: ApiClient, django_assert_num_queries: Any
    ) -> None:
        add_copies(record(user_of(ada)), 100)
        # The user; a savepoint, its bounds, the user's turn, the rows, and back to the savepoint.
        with django_assert_num_queries(7):
            body(ada)

    def test_every_statement_names_the_user(
        self, ada: ApiClient, history: list[Transaction]
    ) -> None:
        with every_statement_scoped() as seen:
            body(ada, currency="USD", full_name="Jane Doe")

        assert len(seen) == 1

    def test_afterwards_one_may_write_again(self, ada: ApiClient) -> None:
        body(ada)

        record(user_of(ada))

        assert len(cells(ada)) == 1


class TestWhose:
    @pytest.fixture(autouse=True)
    def _theirs(self, history: list[Transaction]) -> None:
        pass

    @pytest.fixture
    def clerk(self) -> ApiClient:
        return ApiClient(UserFactory.create(username="clerk", is_staff=True))

    def test_nobody_gets_anything(self, anybody: ApiClient) -> None:
        assert anybody.get(EXPORT).status_code == 401

    def test_a_customer_gets_nothing_of_anybody_else(self, ada: ApiClient, ben: ApiClient) -> None:
        assert {row["user_id"] for row in objects(ada)} == {ada.user_id}
        assert cells(ada, user_id=ben.user_id) == []
        assert len(cells(ada, user_id=ada.user_id)) == 5
        assert not AccessLogEntry.objects.exists()

    def test_permissions_have_no_effect_for_non_staff(self, ada: ApiClient, ben: ApiClient) -> None:
        ada.grant("transactions.view_transaction", "accounts.view_personal_data")

        assert cells(ada, user_id=ben.user_id) == []
        assert {row["user_id"] for row in objects(ada)} == {ada.user_id}

    def test_staff_without_the_permission_get_their_own(self, clerk: ApiClient) -> None:
        own = record(user_of(clerk), full_name="Grace Hopper")

        assert [(r["id"], r["full_name"]) for r in cells(clerk)] == [(str(own.pk), "Grace Hopper")]

    def test_everybodys_names_are_masked_and_no_import_takes_them_for_names(
        self, staff: ApiClient
    ) -> None:
        record(user_of(staff), full_name="=Grace Hopper", description="Moth")

        table, lines = cells(staff), objects(staff)

        assert len(table) == len(lines) == 11
        assert (table[0]["masked_full_name"], table[0]["masked_description"]) == (
            "'=••• H•••",
            "•••",
        )
        assert {row["masked_full_name"] for row in lines} == {
            *("=••• H•••", "J••• D•••", "J••• N•••", None)
        }
        assert not {"full_name", "description"} & {*table[0], *lines[0]}
        assert not AccessLogEntry.objects.exists()

    def test_those_of_one_user_are_in_clear_and_written_down_once(
        self, staff: ApiClient, ada: ApiClient
    ) -> None:
        rows = objects(staff, user_id=ada.user_id)

        assert rows == objects(ada)
        entry = AccessLogEntry.objects.get()
        assert (entry.actor_id, entry.subject_id) == (staff.user_id, ada.user_id)
        assert (entry.what, entry.route) == ("export of transactions", "api")

    def test_it_is_written_down_before_the_first_byte(
        self, staff: ApiClient, ada: ApiClient
    ) -> None:
        refuse_entries()

        answer = staff.get(EXPORT, user_id=ada.user_id)

        assert answer.status_code == 500
        assert b"Jane" not in answer.content

    def test_who_may_not_open_names_gets_those_of_one_user_masked(
        self, clerk: ApiClient, ada: ApiClient
    ) -> None:
        clerk.grant("transactions.view_transaction")

        assert {row["masked_full_name"] for row in cells(clerk, user_id=ada.user_id)} == {
            *("J••• D•••", "J••• N•••", "")
        }
        assert not AccessLogEntry.objects.exists()

    def test_ones_own_are_in_clear_and_not_written_down(self, staff: ApiClient) -> None:
        record(user_of(staff), full_name="Grace Hopper")

        (row,) = cells(staff, user_id=staff.user_id)

        assert row["full_name"] == "Grace Hopper"
        assert not AccessLogEntry.objects.exists()

    def test_there_is_no_entry_about_nobody(self, staff: ApiClient) -> None:
        assert cells(staff, user_id=999_999_999) == []
        assert not AccessLogEntry.objects.exists()

    def test_head_opens_no_name(self, staff: ApiClient, ada: ApiClient) -> None:
        head = staff.request("head", f"{EXPORT}?user_id={ada.user_id}")

        assert head.status_code == 200
        assert not AccessLogEntry.objects.exists()

    def test_who_may_not_open_names_does_not_search_by_them(
        self, clerk: ApiClient, staff: ApiClient
    ) -> None:
        clerk.grant("transactions.view_transaction")

        answer = clerk.get(EXPORT, full_name="Jane Doe")

        assert (answer.status_code, answer.json()["code"]) == (403, "permission-denied")
        assert len(cells(staff, full_name="Jane Doe")) == 6
