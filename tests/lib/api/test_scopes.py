"""A key does what its scopes say, on every route, and nothing else."""

from typing import Any

import pytest
from django.urls import get_resolver

from accounts.api.authentication import BearerAuthentication
from fido.lib.api.checks import API, _routes
from fido.lib.api.scopes import RESOURCES, SCOPES
from tests.api_keys import READS, Machine
from tests.client import ApiClient
from tests.factories import StaffFactory, record

pytestmark = pytest.mark.django_db
CALLS: dict[str, list[tuple[str, str, int]]] = {
    "transactions:read": [("get", "/transactions", 200), ("get", "/transactions/export", 200)],
    "transactions:write": [
        ("post", "/transactions", 400),
        ("post", "/transactions/bulk", 400),
        ("patch", "/transactions/{id}", 200),
        ("put", "/transactions/{id}", 400),
        ("delete", "/transactions/{id}", 204),
    ],
    "imports:read": [("get", "/imports/{id}", 404)],
    "imports:write": [
        ("post", "/imports", 415),
        ("post", "/imports/{id}/undo", 404),
        ("delete", "/imports/{id}", 404),
    ],
    "analytics:read": [
        ("get", "/analytics", 200),
        ("get", "/users/me/analytics", 200),
        ("get", "/users/me/analytics/series?interval=day", 200),
        ("get", "/transactions/analytics", 200),
    ],
    "wallets:read": [("get", "/wallets", 200), ("get", "/currencies_converted?to=USD", 200)],
    "wallets:write": [
        ("post", "/wallets", 400),
        ("post", "/wallets/main/currencies", 404),
        ("post", "/wallets/main/currencies/USD/funds", 404),
    ],
    "rates:read": [("get", "/rates", 200)],
    "events:write": [("post", "/events", 400)],
    "alerts:read": [("get", "/alerts", 200)],
    "users:read": [("get", "/users/me", 200)],
    "users:write": [("patch", "/users/me", 200)],
}


def answer(machine: ApiClient, call: tuple[str, str, int], row: Any) -> Any:
    method, path, _ = call
    body: Any = None if method in {"get", "delete"} else {}
    found = machine.request(method, path.format(id=row.pk), body)
    if found.streaming:
        found.getvalue()
    return found


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scope", CALLS)
def test_a_scope_opens_its_routes_and_no_others(ada: ApiClient, scope: str) -> None:
    assert ada.user
    row = record(ada.user)
    with_it = Machine(ada.user, scope, name="with it")
    without = Machine(ada.user, *(each for each in SCOPES if each != scope), name="without")

    for call in CALLS[scope]:
        refused = answer(without, call, row)
        assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing"), call
        assert refused.json()["scope"] == scope
        assert answer(with_it, call, row).status_code == call[2], call


def test_all_routes_are_under_one_of_these_scopes_or_closed_to_keys() -> None:
    routes = [view for path, view in _routes(get_resolver().url_patterns) if path.startswith(API)]
    resources = {
        view.cls.resource
        for view in routes
        if BearerAuthentication in view.cls.authentication_classes
    }

    assert resources == {*RESOURCES, None}


def test_the_right_to_write_is_not_the_right_to_read(ada: ApiClient) -> None:
    assert ada.user
    machine = Machine(ada.user, *(set(SCOPES) - set(READS)))

    assert machine.get("/transactions").status_code == 403
    assert machine.request("head", "/transactions").status_code == 403
    assert machine.request("options", "/transactions").status_code == 403


def test_a_scope_gives_no_right_that_the_user_has_not(ada: ApiClient) -> None:
    assert ada.user
    machine = Machine(ada.user)

    assert machine.get("/users").status_code == 403
    assert machine.post("/users", {"name": "New", "total": "1"}).status_code == 403
    assert machine.get("/users").json()["code"] != "scope-missing"


def test_a_key_of_staff_reads_what_staff_may(ada: ApiClient) -> None:
    assert ada.user
    record(ada.user)
    staff = Machine(StaffFactory.create(), "transactions:read")

    (row,) = staff.get("/transactions").json()["results"]

    assert row["user_id"] == ada.user_id
    assert staff.get("/users").json()["code"] == "scope-missing"


def test_a_login_has_every_scope(ada: ApiClient) -> None:
    for path in ("/transactions", "/analytics", "/wallets", "/users/me"):
        assert ada.get(path).status_code == 200
