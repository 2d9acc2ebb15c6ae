"""How much of the past an event reads does not grow with it, whatever the past contains."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import pytest
from django.db import connection

from accounts.models import User
from analytics.alerts import operations, pasts, queries
from analytics.alerts.rules import MAX_COUNT, MAX_SECONDS, parsed
from fido.lib.values.crypto.keys import fernet_ring
from tests.alerts import recorded, stream
from tests.client import ApiClient
from tests.factories import StaffFactory, UserFactory
from tests.transactions.test_query_plans import nodes, rows_read
from transactions.models import Transaction

ROWS = 20_000
TOKEN = fernet_ring().encrypt(b"Jane Doe")
INSERT = """
INSERT INTO transactions_transaction (id, user_id, full_name, transaction_date,
    transaction_amount, transaction_type, currency, version, created_at, updated_at)
SELECT gen_random_uuid(), %(user_id)s, %(token)s,
    timestamptz '2026-01-01Z' + n * %(seconds)s * interval '1 second', 1, %(type)s, %(currency)s,
    1, now(), now()
FROM generate_series(1, %(rows)s) AS n
"""
# What came after the last deposits in the default currency, or with them.
PASTS: dict[str, dict[str, Any]] = {
    "withdrawals": {"type": "debit", "currency": "USD", "seconds": 1},
    "deposits in another currency": {"type": "credit", "currency": "EUR", "seconds": 1},
    "deposits of one moment": {"type": "credit", "currency": "USD", "seconds": 0},
}


@pytest.fixture(params=list(PASTS.values()), ids=list(PASTS))
def user(request: pytest.FixtureRequest, db: None) -> User:
    user = UserFactory.create()
    for event in stream("+1@-9999999 +2@-9999998 +3@-9999997"):
        recorded(user, event)
    with connection.cursor() as cursor:
        cursor.execute(INSERT, {"user_id": user.pk, "rows": ROWS, "token": TOKEN, **request.param})
        cursor.execute("ANALYZE transactions_transaction")
    return user


# A statement and its values.
Asked = tuple[str, Any]


@contextmanager
def asking() -> Iterator[list[Asked]]:
    """Yields what is asked, without the values in the text."""
    asked: list[Asked] = []

    def noted(execute: Callable[..., Any], sql: str, values: Any, *more: Any) -> Any:
        asked.append((sql, values))
        return execute(sql, values, *more)

    with connection.execute_wrapper(noted):
        yield asked


def plans(statements: list[Asked], table: str) -> Iterator[dict[str, Any]]:
    for sql, values in list(statements):
        reads = sql.startswith(("SELECT", "WITH"))
        if reads and re.search(f'FROM "?{table}"?\\s', sql):
            yield explained(sql, values)


def plan_for_all_values(statement: str, values: Any) -> dict[str, Any]:
    """The plan that a connection keeps once it has executed the statement often enough."""
    numbers = count(1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute("PREPARE kept AS " + re.sub("%s", lambda _: f"${next(numbers)}", statement))
        try:
            return explained(f"EXECUTE kept ({', '.join(['%s'] * len(values))})", values)
        finally:
            cursor.execute("DEALLOCATE kept")


def explained(sql: str, values: Any) -> dict[str, Any]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", values)
        (answer,) = cursor.fetchone()
    plan: dict[str, Any] = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return plan


def test_an_event_reads_a_few_rows_by_index(user: User) -> None:
    last = Transaction.objects.filter(user=user).order_by("-transaction_date", "-id")[0]
    rules = queries.active_rules()
    this = recorded(user, stream("+1@0")[0])
    Transaction.objects.filter(user=user, pk=this.pk).update(transaction_date=last.transaction_date)
    this.refresh_from_db()

    with asking() as statements:
        operations.alerts_of([queries.recorded(this)], rules)

    found = list(plans(statements, "transactions_transaction"))
    # The newest; what these do not tell; and one more page of the deposits of one moment.
    assert 1 <= len(found) <= 3
    assert sum(rows_read(plan) for plan in found) <= queries.FIRST_PAGE + queries.PAGE + 20
    (newest,) = (each for each in statements if each[0] == pasts.NEWEST_OF_EACH)
    kept = plan_for_all_values(*newest)
    assert rows_read(kept) <= queries.FIRST_PAGE + 20
    for plan in [*found, kept]:
        scans = {node["Node Type"] for node in nodes(plan) if "Relation Name" in node}
        assert scans <= {"Index Scan", "Index Only Scan"}


@pytest.mark.parametrize("of_type", ["any", "deposit", "withdrawal"])
def test_velocity_reads_one_row_more_than_it_counts(user: User, of_type: str) -> None:
    this = queries.event_of(Transaction.objects.order_by("transaction_date", "id").reverse()[0])
    rule = parsed("velocity", {"count": 20, "seconds": MAX_SECONDS, "type": of_type})

    with asking() as statements:
        queries.Past(user.pk, "USD", this.at, this.id).needed(rule.needs)

    (plan,) = plans(statements, "transactions_transaction")
    assert rows_read(plan) <= 21
    assert {node["Node Type"] for node in nodes(plan)} <= {"Limit", "Index Scan"}


@pytest.mark.parametrize("user", [PASTS["withdrawals"]], ids=["withdrawals"], indirect=True)
def test_velocity_reads_nothing_before_its_window(user: User) -> None:
    this = queries.event_of(Transaction.objects.order_by("transaction_date", "id").reverse()[0])
    rule = parsed("velocity", {"count": MAX_COUNT, "seconds": 5})

    with asking() as statements:
        queries.Past(user.pk, "USD", this.at, this.id).needed(rule.needs)

    (plan,) = plans(statements, "transactions_transaction")
    assert rows_read(plan) <= 6


ALERTS = """
INSERT INTO alerts_alert (id, user_id, rule_id, code, transaction_id, time, created_at)
SELECT gen_random_uuid(), %(user_id)s, (SELECT min(id) FROM alerts_rule), 1100 + n %% 4,
    gen_random_uuid(), timestamptz '2026-01-01Z' + n * interval '1 minute', now()
FROM generate_series(1, 5000) AS n
"""
FILTERS: list[dict[str, Any]] = [
    {},
    {"code": 1100},
    {"start": "2026-01-02"},
    {"end": "2026-01-03"},
    {"code": 1101, "start": "2026-01-02", "end": "2026-01-03"},
]


@pytest.mark.django_db
@pytest.mark.parametrize("filters", FILTERS, ids=str)
@pytest.mark.parametrize("who", ["owner", "staff", "staff of one"])
def test_a_page_of_alerts_is_read_by_an_index_in_its_order(
    who: str, filters: dict[str, Any]
) -> None:
    owner = UserFactory.create()
    for user in [owner, *UserFactory.create_batch(3)]:
        with connection.cursor() as cursor:
            cursor.execute(ALERTS, {"user_id": user.pk})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE alerts_alert")
    client = ApiClient(owner if who == "owner" else StaffFactory.create())
    whose = {"user_id": owner.pk} if who == "staff of one" else {}

    with asking() as statements:
        assert client.get("/alerts", **filters, **whose).status_code == 200

    (plan,) = plans(statements, "alerts_alert")
    assert {node["Node Type"] for node in nodes(plan)} == {"Limit", "Index Scan"}
    assert rows_read(plan) <= 51
