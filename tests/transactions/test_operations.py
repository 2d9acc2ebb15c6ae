"""Concurrent writes: real threads on one row, and no lost updates."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from analytics.models import DailyTotals
from fido.lib.values.errors import InvalidInput, NotFound
from tests.client import ApiClient
from tests.factories import UserFactory, record, wallet
from tests.movements import assert_exact
from tests.races import at_once, overtaken
from transactions import operations
from transactions.models import Transaction
from transactions.operations import ExternalIdTaken
from transactions.signals import transactions_changed

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"transaction_amount": "7.50", "transaction_type": "debit"}
MARCH = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def row(ada: ApiClient) -> Transaction:
    assert ada.user
    return record(ada.user, transaction_amount=Decimal("10.00"), description="Rent")


def path(row: Transaction) -> str:
    return f"/transactions/{row.pk}"


def present(row: Transaction) -> Transaction:
    return Transaction.objects.get(pk=row.pk)


def amending(row: Transaction, **changes: Any) -> Callable[[], Transaction]:
    return partial(operations.amend, row=present(row), changes=changes)


def test_two_edits_of_different_fields_both_survive(ada: ApiClient, row: Transaction) -> None:
    late = overtaken(
        call=partial(ada.patch, path(row), {"transaction_amount": "12.50"}),
        by=amending(row, currency="EUR", description="Deposit"),
    )

    assert late.status_code == 200
    assert (late.json()["transaction_amount"], late.json()["currency"]) == ("12.50", "EUR")
    after = present(row)
    assert (after.transaction_amount, after.currency) == (Decimal("12.50"), "EUR")
    assert (after.description, after.version) == ("Deposit", 3)
    assert_exact(row.user)


def test_many_edits_of_one_row_lose_nothing(ada: ApiClient, row: Transaction) -> None:
    changes: list[dict[str, str]] = [
        {"transaction_amount": "12.50"},
        {"transaction_type": "debit"},
        {"transaction_date": "2026-03-01"},
        {"currency": "EUR"},
        {"full_name": "Ada King"},
        {"description": "Deposit"},
        {"external_id": "inv/1"},
    ]

    answers = at_once(*(partial(ada.patch, path(row), change) for change in changes))

    assert [answer.status_code for answer in answers] == [200] * 7
    record_now = ada.get(path(row)).json()
    expected = {name: value for change in changes for name, value in change.items()}
    expected["transaction_date"] = "2026-03-01T00:00:00Z"
    assert {name: record_now[name] for name in expected} == expected
    assert present(row).version == 8
    assert_exact(row.user)


def test_a_put_that_names_no_date_keeps_the_one_that_came_meanwhile(
    ada: ApiClient, row: Transaction
) -> None:
    late = overtaken(
        call=partial(ada.put, path(row), BODY), by=amending(row, transaction_date=MARCH)
    )

    assert late.status_code == 200
    assert late.json()["transaction_date"] == "2026-03-01T00:00:00Z"
    assert present(row).transaction_date == MARCH
    assert_exact(row.user)


def test_a_currency_that_came_meanwhile_counts_for_the_decimals(
    ada: ApiClient, row: Transaction
) -> None:
    late = overtaken(
        call=partial(ada.patch, path(row), {"transaction_amount": "12.50"}),
        by=amending(row, currency="JPY"),
    )

    assert late.status_code == 400
    after = present(row)
    assert (after.transaction_amount, after.currency) == (Decimal(10), "JPY")
    assert_exact(row.user)


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_whoever_comes_after_a_delete_finds_nothing(
    ada: ApiClient, row: Transaction, method: str
) -> None:
    late = overtaken(
        call=partial(ada.request, method, path(row), None if method == "delete" else BODY),
        by=partial(operations.delete, row=row),
    )

    assert (late.status_code, late.json()["code"]) == (404, "not-found")
    assert not Transaction.objects.exists()
    assert_exact(row.user)


def test_a_delete_after_an_edit_takes_back_what_the_edit_wrote(
    ada: ApiClient, row: Transaction
) -> None:
    late = overtaken(
        call=partial(ada.delete, path(row)),
        by=amending(row, transaction_amount=Decimal("99.00"), transaction_date=MARCH),
    )

    assert late.status_code == 204
    assert not Transaction.objects.exists()
    assert ada.get("/analytics").json()["total_transactions"] == 0
    assert_exact(row.user)


def test_of_eight_deletes_at_once_one_succeeds(ada: ApiClient, row: Transaction) -> None:
    answers = at_once(*[partial(ada.delete, path(row))] * 8)

    assert sorted(answer.status_code for answer in answers) == [204] + [404] * 7
    assert_exact(row.user)


def test_edits_and_deletes_at_once_leave_the_totals_exact(ada: ApiClient) -> None:
    assert ada.user
    for n in range(5):
        row = record(ada.user)
        edit = partial(ada.patch, path(row), {"transaction_amount": f"{n + 1}.25"})

        answers = at_once(edit, partial(ada.delete, path(row)), edit)

        assert answers[1].status_code == 204
        assert {answers[0].status_code, answers[2].status_code} <= {200, 404}
    assert not Transaction.objects.exists()
    assert_exact(ada.user)


def test_an_external_id_that_comes_and_goes_never_breaks_a_request(ada: ApiClient) -> None:
    body = BODY | {"external_id": "inv/1", "transaction_date": "2026-01-31"}

    def record_and_delete() -> set[int]:
        statuses = set()
        for _ in range(25):
            response = ada.post("/transactions", body)
            statuses.add(response.status_code)
            if response.status_code == 201:
                ada.delete(path_of(response))
        return statuses

    statuses = set[int]().union(*at_once(*[record_and_delete] * 6))

    assert statuses == {201, 409}


def path_of(response: Any) -> str:
    return f"/transactions/{response.json()['id']}"


def test_an_edit_that_races_for_an_external_id_is_refused_whole(
    ada: ApiClient, row: Transaction
) -> None:
    other = record(row.user)
    late = overtaken(
        call=partial(ada.patch, path(row), {"external_id": "inv/1", "transaction_amount": "99.00"}),
        by=amending(other, external_id="inv/1"),
    )

    assert (late.status_code, late.json()["existing_id"]) == (409, str(other.pk))
    assert present(row).transaction_amount == Decimal("10.00")
    assert_exact(row.user)


@pytest.fixture
def failing_receiver() -> Any:
    def fail(**kwargs: Any) -> None:
        raise RuntimeError("the receiver failed")

    transactions_changed.connect(fail)
    yield
    transactions_changed.disconnect(fail)


@pytest.mark.usefixtures("failing_receiver")
def test_a_receiver_that_fails_undoes_the_write() -> None:
    with pytest.raises(RuntimeError):
        record(UserFactory.create())

    assert not Transaction.objects.exists()
    assert not DailyTotals.objects.exists()


def test_a_stale_row_is_amended_as_it_has_become(row: Transaction) -> None:
    stale = present(row)
    operations.amend(row=row, changes={"transaction_amount": Decimal("1.00")})

    after = operations.amend(row=stale, changes={"description": "Deposit"})

    assert (after.transaction_amount, after.description) == (Decimal("1.00"), "Deposit")
    assert after.version == 3


def test_an_operation_refuses_what_no_serializer_has_seen(row: Transaction) -> None:
    with pytest.raises(InvalidInput):
        record(row.user, transaction_amount=Decimal("1.005"))
    with pytest.raises(InvalidInput):
        operations.amend(row=row, changes={"transaction_amount": Decimal("1.005")})
    operations.delete(row=row)
    with pytest.raises(NotFound):
        operations.delete(row=row)
    with pytest.raises(NotFound):
        operations.amend(row=row, changes={"description": "Deposit"})


def test_a_refused_external_id_names_the_first(row: Transaction) -> None:
    first = record(row.user, external_id="inv/1")

    with pytest.raises(ExternalIdTaken) as refusal:
        record(row.user, external_id="inv/1")

    assert refusal.value.extra == {"existing_id": str(first.pk)}


def test_each_write_is_one_statement_that_names_its_user(row: Transaction) -> None:
    owner = User.objects.get(pk=row.user_id)
    statements: list[str] = []

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        made = record(owner)
        operations.delete(row=operations.amend(row=made, changes={"description": "Deposit"}))

    writes = [sql for sql in statements if "transactions_transaction" in sql]
    assert [sql.split()[0] for sql in writes] == ["WITH", "UPDATE", "DELETE"]
    assert all('"user_id"' in sql for sql in writes)


def test_a_new_transaction_and_all_that_follows_from_it_is_one_statement() -> None:
    owner = UserFactory.create()

    with CaptureQueriesContext(connection) as sent:
        record(owner)

    (statement,) = (query["sql"] for query in sent.captured_queries)
    for table in ("transactions_transaction", "analytics_dailytotals", "alerts_pendingcheck"):
        assert f"INSERT INTO {table} " in statement


def test_so_is_one_that_moves_a_wallet() -> None:
    owner = UserFactory.create()
    main = wallet(owner, USD="5.00")

    with CaptureQueriesContext(connection) as sent:
        record(owner, wallet_id=main.pk, currency="USD")

    (statement,) = (query["sql"] for query in sent.captured_queries)
    assert "UPDATE wallets_balance" in statement
