"""Ways to undo imports in tests."""

from typing import Any

from accounts.wallets.models import Wallet
from analytics import queries
from tests.client import ApiClient
from tests.imports import work
from tests.movements import assert_exact
from tests.wallets import assert_balanced
from transactions.imports.models import Import
from transactions.models import Transaction

SHOWN: tuple[tuple[str, dict[str, str]], ...] = (
    ("/analytics", {}),
    ("/analytics", {"start": "2016-01-09T06:00:00Z", "currency": "EUR"}),
    ("/users/me/analytics/series", {"interval": "day"}),
    ("/transactions/analytics", {}),
    ("/transactions", {"limit": "100"}),
    ("/wallets", {}),
)


def answers(client: ApiClient) -> list[bytes]:
    """All that a user sees of transactions, as bytes."""
    wallets = Wallet.objects.filter(user_id=client.user_id).order_by("name")
    paths = [f"/wallets/{row.name}/currencies" for row in wallets]
    shown = [*SHOWN, *((path, {}) for path in paths)]
    found = [client.get(path, **query) for path, query in shown]
    assert {each.status_code for each in found} == {200}
    return [each.content for each in found]


def ask(client: ApiClient, row: Import) -> Any:
    """`POST /imports/{id}/undo`; no worker has started on it."""
    return client.post(f"/imports/{row.pk}/undo")


def undone(client: ApiClient, row: Import) -> Import:
    """The import, asked to be undone and undone."""
    answer = ask(client, row)
    assert (answer.status_code, answer.json()["status"]) == (202, "undoing"), answer.content
    return work(row.pk, row.user_id)


def kept(row: Import) -> list[tuple[str, str]]:
    """The amount of each kept transaction, and why it stayed."""
    found = {str(each.pk): each for each in Transaction.objects.filter(user_id=row.user_id)}
    return [(f"{found[each['id']].transaction_amount:f}", each["code"]) for each in row.kept]


def assert_all_exact(client: ApiClient) -> None:
    """Check totals, analytics and balances against the transactions."""
    assert client.user
    assert queries.differences([client.user.pk]) == []
    assert_exact(client.user)
    assert_balanced(client.user)
