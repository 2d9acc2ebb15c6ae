"""How PostgreSQL answers a history: by an index that provides the order, at any page depth."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.wallets.models import Wallet
from fido.lib.api.pagination import Cursor
from fido.lib.values import clock
from fido.lib.values.crypto.fields import blind_index
from fido.lib.values.crypto.keys import fernet_ring
from tests.client import ApiClient
from tests.factories import UserFactory
from transactions.models import Transaction

ROWS, OTHERS, ROWS_OF_OTHERS = 20_000, 200, 100
LIMIT = 50
TOKEN = fernet_ring().encrypt(b"Jane Doe")  # whose name it is does not affect the plan
NAMES = ["Jane Doe", "John Doe", "José Núñez"]

# A row every 40 minutes: one in four is a debit, one in five has another currency.
INSERT = """
INSERT INTO transactions_transaction (id, user_id, full_name, full_name_index, transaction_date,
    transaction_amount, transaction_type, currency, external_id, wallet_id, version, created_at,
    updated_at)
SELECT gen_random_uuid(), %(user_id)s, %(token)s, (%(names)s::bytea[])[1 + n %% 3],
    timestamptz '2025-01-01Z' + n * interval '40 minutes', 1 + n * 7919 %% 1000,
    CASE n %% 4 WHEN 0 THEN 'debit' ELSE 'credit' END, CASE n %% 5 WHEN 0 THEN 'EUR' ELSE 'USD' END,
    'inv/' || n, CASE n %% 7 WHEN 0 THEN %(wallet_id)s::uuid END, 1, now(), now()
FROM generate_series(1, %(rows)s) AS n
"""


def insert(user: User, rows: int) -> None:
    in_wallet = Wallet.objects.create(user=user, name="main")
    index = blind_index(Transaction, "full_name")
    names = [index.digest(name) for name in NAMES]
    values: dict[str, Any] = {"user_id": user.pk, "rows": rows, "names": names, "token": TOKEN}
    values["wallet_id"] = in_wallet.pk
    with connection.cursor() as cursor:
        cursor.execute(INSERT, values)


@pytest.fixture(scope="module")
def busy(django_db_setup: None, django_db_blocker: Any) -> Iterator[ApiClient]:
    """A long history among many short ones, with fresh statistics for the planner."""
    with django_db_blocker.unblock():
        users = User.objects.bulk_create(UserFactory.build_batch(OTHERS))
        busy = UserFactory.create(username="busy")
        for user in users:
            insert(user, ROWS_OF_OTHERS)
        insert(busy, ROWS)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE transactions_transaction, wallets_wallet")
        yield ApiClient(busy)
        ids = [user.pk for user in (busy, *users)]
        Transaction.objects.filter(user_id__in=ids).delete()
        Wallet.objects.filter(user_id__in=ids).delete()
        User.objects.filter(pk__in=ids).delete()


def plan(client: ApiClient, **parameters: Any) -> dict[str, Any]:
    """PostgreSQL's plan for the exact statement with which the API answers this request."""
    asked: list[tuple[str, Any]] = []

    def noted(execute: Callable[..., Any], sql: str, values: Any, *more: Any) -> Any:
        asked.append((sql, values))
        return execute(sql, values, *more)

    with connection.execute_wrapper(noted):
        response = client.get("/transactions", **parameters)
    assert response.status_code == 200, response.content
    ((statement, values),) = (each for each in asked if "FROM transactions_transaction" in each[0])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values)
        (answer,) = cursor.fetchone()
    root: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return root


def nodes(root: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield root
    for child in root.get("Plans", []):
        yield from nodes(child)


def rows_read(root: dict[str, Any]) -> int:
    """Rows that the scans read, including those that a filter then dropped."""
    scans = [node for node in nodes(root) if "Scan" in node["Node Type"]]
    return sum(
        int((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"])
        for node in scans
    )


def blocks(root: dict[str, Any]) -> int:
    return int(root["Shared Hit Blocks"] + root["Shared Read Blocks"])


def deep_cursor(client: ApiClient, order: str) -> str:
    """A page 15,000 rows into the history."""
    names = (order, "-id" if order.startswith("-") else "id")
    row = Transaction.objects.filter(user_id=client.user_id).order_by(*names)[15_000]
    return Cursor((clock.text(row.transaction_date), str(row.pk))).encode()


ORDERS = ["-transaction_date", "transaction_date"]
FILTERS: dict[str, dict[str, str]] = {
    "none": {},
    "start": {"start": "2025-02-01"},
    "end": {"end": "2026-05-31"},
    "period": {"start": "2025-02-01", "end": "2026-05-31"},
    "type": {"transaction_type": "debit"},
    "currency": {"currency": "EUR"},
    "min_amount": {"min_amount": "500"},
    "max_amount": {"max_amount": "500"},
    "name": {"full_name": "JOSE NUNEZ"},
    "wallet": {"wallet": "main"},
    "wallet and type": {"wallet": "main", "transaction_type": "debit"},
    "currency and type": {"currency": "EUR", "transaction_type": "debit"},
    "name and currency": {"full_name": "jane doe", "currency": "USD"},
}


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("deep", [False, True], ids=["first page", "deep page"])
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_each_filter_is_an_index_scan_in_the_order_asked_for(
    busy: ApiClient, filters: dict[str, str], deep: bool, order: str
) -> None:
    cursor = {"cursor": deep_cursor(busy, order)} if deep else {}

    root = plan(busy, **filters, **cursor, order=order, limit=LIMIT)

    kinds = {node["Node Type"] for node in nodes(root)}
    assert kinds <= {"Limit", "Index Scan", "Index Only Scan"}
    (scan,) = (node for node in nodes(root) if node["Node Type"] != "Limit")
    assert "user_id = " in scan["Index Cond"]
    # One debit in four, in one currency of five: a page reads that many rows, and no more.
    assert rows_read(root) <= (LIMIT + 1) * 21


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
def test_an_export_begins_without_sorting_what_it_will_send(
    busy: ApiClient, filters: dict[str, str], order: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        busy.get("/transactions/export", **filters, order=order).getvalue()

    (statement,) = (q["sql"] for q in queries if 'FROM "transactions_transaction"' in q["sql"])
    assert "NO SCROLL CURSOR FOR" in statement
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}")
        (answer,) = cursor.fetchone()
    root = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    # The name of a row's wallet is looked up separately, for each row that has one.
    names = [node for node in nodes(root) if node.get("Relation Name") == "wallets_wallet"]
    assert [node for node in nodes(root) if node not in names] == [root]
    assert root["Node Type"] == "Index Scan"
    assert "user_id = " in root["Index Cond"]


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS)
def test_a_filter_by_type_reads_only_that_type(busy: ApiClient, order: str) -> None:
    assert rows_read(plan(busy, transaction_type="debit", order=order, limit=LIMIT)) == LIMIT + 1


@pytest.fixture
def rarity(busy: ApiClient, db: None) -> Decimal:
    """An amount that only one of the busy user's rows has, the only one of its kind and year."""
    amount = Decimal("77777.77")
    row = Transaction.objects.filter(user_id=busy.user_id).order_by("id")[12_345]
    Transaction.objects.filter(user_id=busy.user_id, pk=row.pk).update(transaction_amount=amount)
    return amount


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("more", [{}, {"full_name": "Jane Doe"}, {"currency": "USD"}], ids=str)
@pytest.mark.parametrize("least", ["77777.77", "99999"], ids=["one match", "no match"])
def test_a_rare_amount_is_found_without_reading_the_history(
    busy: ApiClient, rarity: Decimal, least: str, more: dict[str, str], order: str
) -> None:
    root = plan(busy, min_amount=least, order=order, **more)

    assert "Seq Scan" not in {node["Node Type"] for node in nodes(root)}
    assert rows_read(root) <= 1


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS)
def test_a_filter_by_external_id_reads_one_row(busy: ApiClient, order: str) -> None:
    root = plan(busy, external_id="inv/777", order=order)

    assert "Seq Scan" not in {node["Node Type"] for node in nodes(root)}
    assert rows_read(root) <= 1


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", ["none", "start", "end", "period", "currency", "name"])
def test_a_deep_page_costs_what_the_first_one_costs(busy: ApiClient, name: str, order: str) -> None:
    filters = FILTERS[name] | {"order": order, "limit": str(LIMIT)}

    first = plan(busy, **filters)
    deep = plan(busy, **filters, cursor=deep_cursor(busy, order))

    assert rows_read(first) == rows_read(deep) == LIMIT + 1
    assert blocks(deep) <= 2 * blocks(first) + 10


@pytest.mark.django_db
@pytest.mark.parametrize("backwards", [False, True])
def test_a_page_back_costs_as_little(busy: ApiClient, backwards: bool) -> None:
    row = Transaction.objects.filter(user_id=busy.user_id).order_by("id")[10_000]
    cursor = Cursor((clock.text(row.transaction_date), str(row.pk)), backwards).encode()

    assert rows_read(plan(busy, cursor=cursor, limit=LIMIT)) <= LIMIT + 1


@pytest.mark.django_db
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"currency": "EUR"},
        {"full_name": "Jane Doe"},
        {"transaction_type": "debit"},
    ],
    ids=str,
)
def test_staff_page_through_everybody_by_an_index(
    busy: ApiClient, staff: ApiClient, filters: dict[str, str], order: str
) -> None:
    everybody = plan(staff, **filters, order=order, limit=LIMIT)
    one = plan(staff, **filters, order=order, limit=LIMIT, user_id=busy.user_id)

    for root in (everybody, one):
        assert {node["Node Type"] for node in nodes(root)} == {"Limit", "Index Scan"}
