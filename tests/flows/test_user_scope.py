"""Every statement about a user's rows names the user, so that one database can become many."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from accounts.models import User
from accounts.wallets.models import Wallet
from analytics import operations
from analytics.alerts import deliveries
from analytics.alerts.models import Delivery, WebhookEndpoint
from analytics.checks import operations as checks
from fido.lib.outbound.calls import Caller
from fido.lib.process import inserts
from fido.lib.process.inserts import Condition
from tests.alerts import add_default_rules, check_all
from tests.client import ApiClient
from tests.factories import PASSWORD, UserFactory
from tests.imports import HEADER, csv, imported, upload, work

APPS = {"fido", "accounts", "wallets", "transactions", "imports", "analytics", "alerts", "checks"}
PER_USER_TABLES = {
    model._meta.db_table: model
    for model in apps.get_models()
    if model._meta.app_label in APPS
    and any(field.column == "user_id" for field in model._meta.local_fields)
    and model._meta.db_table not in {"accounts_user_groups", "accounts_user_user_permissions"}
}


class Unscoped(AssertionError):
    """A statement on a per-user table without a user id."""


def names_the_user(sql: str) -> bool:
    if sql.startswith(("WITH met AS", "WITH inserted AS", "WITH other_0 AS")):
        return all(names_the_user(part) for part in parts_on_per_user_tables(sql))
    if sql.startswith(("INSERT", "SET LOCAL lock_timeout")):
        return "user_id" in sql
    _, _, condition = sql.partition("WHERE")
    return bool(re.search(r'"?user_id"? (=|IN) ', condition))


def parts_on_per_user_tables(sql: str) -> list[str]:
    """The statements that a write joins into one."""
    parts = re.split(r"\w+ AS \(\s*|(?=INSERT INTO)", sql)
    return [part for part in parts if any(table in part for table in PER_USER_TABLES)]


@contextmanager
def every_statement_scoped() -> Iterator[list[str]]:
    """Yield the statements on per-user tables; raise on one without its user."""
    seen: list[str] = []

    def check(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if any(table in sql for table in PER_USER_TABLES):
            seen.append(sql)
            if not names_the_user(sql):
                raise Unscoped(sql)
        return execute(sql, *args)

    with connection.execute_wrapper(check):
        yield seen


def test_the_tables_that_grow_per_user_are_known() -> None:
    assert sorted(PER_USER_TABLES) == [
        "accounts_apikey",
        "accounts_loginsession",
        "alerts_alert",
        "alerts_checkturn",
        "alerts_delivery",
        "alerts_deliveryattempt",
        "alerts_eventclock",
        "alerts_pendingcheck",
        "analytics_dailytotals",
        "analytics_recentwriter",
        "checks_finding",
        "fido_idempotencykey",
        "imports_import",
        "imports_importbatch",
        "imports_savedmapping",
        "transactions_transaction",
        "wallets_balance",
        "wallets_wallet",
    ]
    for model in PER_USER_TABLES.values():
        column = next(f for f in model._meta.local_fields if f.column == "user_id")
        assert not column.null
        assert model._meta.pk.get_internal_type() == "UUIDField"


def test_unique_constraints_and_indexes_lead_with_the_user() -> None:
    # One for staff who page through all users, and those of periodic jobs.
    across_users = {
        "history_of_everybody",
        "login_session_by_expiry",
        "idempotency_key_by_age",
        "imports_not_ended",
        "alerts_of_everybody",
        "alerts_of_everybody_by_code",
        "deliveries_due",
    }
    for model in PER_USER_TABLES.values():
        for index in [*model._meta.indexes, *model._meta.constraints]:
            fields = getattr(index, "fields", None)
            if fields and index.name not in across_users:
                assert fields[0] == "user", index.name


@pytest.mark.django_db(transaction=True)
def test_a_customers_whole_life_names_the_user_in_every_statement(
    anybody: ApiClient, ada: ApiClient
) -> None:
    body = {"transaction_amount": "1.00", "transaction_type": "credit", "external_id": "a"}
    body |= {"transaction_date": "2026-01-31"}
    second = body | {"external_id": "b"}

    with every_statement_scoped() as seen:
        pair = log_in_and_refresh(anybody)
        row = ada.post("/transactions", body).json()
        statuses = [
            ada.post("/transactions", body).status_code,
            ada.post("/transactions", body, HTTP_IDEMPOTENCY_KEY="a").status_code,
            *(
                ada.post("/transactions/bulk", [second], HTTP_IDEMPOTENCY_KEY="b").status_code
                for _ in range(2)
            ),
            ada.post("/transactions/bulk?atomic=false", [body, second]).status_code,
            ada.get(f"/transactions/{row['id']}").status_code,
            ada.get("/transactions", full_name="ada lovelace", start="2026-01-01").status_code,
            ada.put(f"/transactions/{row['id']}", body).status_code,
            ada.patch(f"/transactions/{row['id']}", {"full_name": "A"}).status_code,
            ada.request(
                "patch", f"/transactions/{row['id']}", {"full_name": "B"}, HTTP_IF_MATCH="*"
            ).status_code,
            ada.get("/analytics", start="2026-01-31T01:00:00Z").status_code,
            ada.get("/users/me/analytics/series", interval="day").status_code,
            len(ada.get("/transactions/export", currency="USD").getvalue().splitlines()),
            ada.delete(f"/transactions/{row['id']}").status_code,
            anybody.post("/auth/logout", {"refresh_token": pair["refresh_token"]}).status_code,
        ]
        statuses += make_and_revoke_a_key(ada)
        statuses += import_and_cancel(ada)
        statuses += wallets_from_first_to_last(ada, body)
        statuses += raise_alerts(ada)
        operations.fold([ada.user_id])
        checks.check(ada.user_id)

    recorded, file = [409, 409, 201, 201, *[200] * 8, 3, 204, 204], [200, 204, 202, 1, 200]
    assert statuses == [*recorded, *KEY_STATUSES, *file, *WALLET_STATUSES, 200, 200, 1]
    for table in PER_USER_TABLES:
        assert any(table in sql for sql in seen), table


def log_in_and_refresh(client: ApiClient) -> dict[str, str]:
    pair: dict[str, str] = client.post(
        "/auth/login", {"username": "ada", "password": PASSWORD}
    ).json()
    client.post("/auth/refresh", {"refresh_token": pair["refresh_token"]})
    return pair


KEY_STATUSES = [201, 200, 200, 204]


def make_and_revoke_a_key(client: ApiClient) -> list[int]:
    made = client.post("/users/me/keys", {"name": "a", "scopes": ["users:read"]})
    return [
        made.status_code,
        ApiClient(token=made.json()["key"]).get("/users/me").status_code,
        client.get("/users/me/keys").status_code,
        client.delete(f"/users/me/keys/{made.json()['id']}").status_code,
    ]


def import_and_cancel(client: ApiClient) -> list[int]:
    rows = csv("2026-01-31,1,credit,a", "x,1,credit,b", header=f"{HEADER},external_id")
    done = imported(client, rows)
    cancelled = upload(client, rows).json()["id"]
    return [
        client.get(f"/imports/{done.pk}").status_code,
        client.delete(f"/imports/{cancelled}").status_code,
        client.post(f"/imports/{done.pk}/undo", None).status_code,
        work(done.pk, client.user_id).rows_undone,
        client.get("/imports/mappings").status_code,
    ]


def raise_alerts(client: ApiClient) -> list[int]:
    add_default_rules()
    endpoint = WebhookEndpoint.objects.create(url="https://127.0.0.1/")
    check_all(User.objects.get(pk=client.user_id))
    event = {"type": "deposit", "amount": "201", "user_id": client.user_id, "time": 1_800_000_000}
    recorded = client.post("/events", event)
    row = Delivery.objects.get(user_id=client.user_id)
    batch = deliveries.claim([(client.user_id, row.pk)])
    (message,) = deliveries.messages(batch, endpoint)
    with Caller(endpoint.url, allow_loopback=False) as caller:
        assert deliveries.conclude([(batch[0], deliveries.attempt(message, caller))]) == 1
    deliveries.release(batch)
    listed = client.get("/alerts", code=123)
    return [recorded.status_code, listed.status_code, len(listed.json()["results"])]


WALLET_STATUSES = [*[201] * 5, *[200] * 7, 201, *[200] * 4, 204, 204, 200, 204, 2]


def wallets_from_first_to_last(client: ApiClient, body: dict[str, str]) -> list[int]:
    """Each wallet route, each way to move a balance, and finally what an import created."""
    main, other = "/wallets/main", "/wallets/other"
    inside = body | {"wallet": "main", "external_id": "w"}
    made = [
        client.post("/wallets", {"name": "main"}),
        client.post("/wallets", {"name": "other"}, HTTP_IDEMPOTENCY_KEY="w"),
        client.post(f"{main}/currencies", {"currency": "USD", "amount": "5"}),
        client.post(f"{main}/currencies/USD/funds", {"amount": "-5"}),
        row := client.post("/transactions", inside),
    ]
    path = f"/transactions/{row.json()['id']}"
    answers = [
        *made,
        client.get("/wallets"),
        client.get(main),
        client.get(f"{main}/currencies"),
        client.get(f"{main}/currencies_converted", to="EUR"),
        client.get("/currencies_converted", to="EUR"),
        client.get("/transactions", wallet="main"),
        client.patch(main, {"name": "first"}),
        client.post("/transactions/bulk", [inside | {"external_id": "v", "wallet": "other"}]),
        client.post("/transactions/bulk?atomic=false", [inside | {"wallet": "first"}]),
        client.patch(path, {"wallet": "other", "currency": "EUR"}),
        client.patch(path, {"wallet": "first"}),
        client.get(path),
        client.delete(path),
        client.delete("/wallets/first"),
        client.put(other, {"name": "second"}),
        client.delete(client_path_of(client, "v")),
    ]
    rows = csv("2026-01-31,1,credit,second", "2026-01-31,1,debit,second", header=f"{HEADER},wallet")
    return [*(answer.status_code for answer in answers), imported(client, rows).rows_created]


def client_path_of(client: ApiClient, external_id: str) -> str:
    (row,) = client.get("/transactions", external_id=external_id).json()["results"]
    return f"/transactions/{row['id']}"


def test_a_statement_without_its_user_is_noticed(db: None) -> None:
    with every_statement_scoped(), pytest.raises(Unscoped):
        next(iter(PER_USER_TABLES.values()))._default_manager.count()


def test_so_is_a_part_of_a_statement_without_its_user(db: None) -> None:
    everybodys = "UPDATE wallets_balance SET amount = 0 RETURNING amount AS value"
    owner = UserFactory.create()
    row = Wallet(user=owner, name="main")

    with every_statement_scoped(), pytest.raises(Unscoped):
        inserts.insert_if(Condition(everybodys, ()), row)
