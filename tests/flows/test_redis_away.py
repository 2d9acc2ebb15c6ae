"""With Redis away, every route answers, and with correct numbers."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from accounts.models import User
from tests.alerts import add_default_rules
from tests.factories import PASSWORD, StaffFactory, UserFactory, record
from tests.fido.processes import eventually
from tests.imports import csv
from tests.valkey import Valkey
from tests.webserver import WebServer, serving

pytestmark = pytest.mark.django_db(transaction=True)
ROW = {"transaction_amount": "19.99", "transaction_type": "debit", "currency": "USD"}
ROW |= {"transaction_date": "2026-01-31"}
Event = Callable[[Valkey], None]
REGISTRATION = {"username": "jane", "email": "jane@example.org", "full_name": "Jane Doe"}


class Visitor:
    """Exchanges JSON with the web server, and remembers which operations it has called."""

    def __init__(self, server: WebServer) -> None:
        self.server, self.token = server, ""
        self.called: set[str] = set()

    def send(self, method: str, route: str, body: Any = None, *, at: Any = "", **also: str) -> Any:
        """Call `route` in the schema's form, with `at` for its {id}; return parsed JSON."""
        self.called.add(f"{method} {route}")
        headers = {"Content_Type": "application/json", "Authorization": f"Bearer {self.token}"}
        data = None if body is None else json.dumps(body).encode()
        start, _, rest = route.partition("{")
        path = f"/api/v1{start}{at}{rest.partition('}')[2]}" if rest else f"/api/v1{route}"
        path = path.replace("{code}", also.get("code", ""))
        answer = self.server.request(method, path + also.get("query", ""), data, **headers)
        answer.json = json.loads(answer.content or b"null")
        return answer

    def upload(self, route: str, content: bytes) -> Any:
        """Send a file in the field `file`; return parsed JSON."""
        self.called.add(f"POST {route}")
        disposition = 'form-data; name="file"; filename="rows.csv"'
        form = f"--line\r\nContent-Disposition: {disposition}\r\n\r\n".encode()
        headers = {"Content_Type": "multipart/form-data; boundary=line"}
        headers["Authorization"] = f"Bearer {self.token}"
        body = form + content + b"\r\n--line--\r\n"
        answer = self.server.request("POST", f"/api/v1{route}", body, **headers)
        answer.json = json.loads(answer.content)
        return answer

    def log_in(self, name: str, password: str = PASSWORD) -> Any:
        pair = self.send("POST", "/auth/login", {"username": name, "password": password})
        assert pair.status == 200, pair.json
        self.token = pair.json["access_token"]
        return pair.json["refresh_token"]


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    server = Valkey(tmp_path)
    yield server
    server.kill()


# How it goes away, and how it comes back with all its data.
OUTAGES = {"dead": (Valkey.kill, Valkey.start), "hung": (Valkey.freeze, Valkey.thaw)}


@pytest.fixture(params=OUTAGES)
def outage(request: pytest.FixtureRequest) -> tuple[Event, Event]:
    return OUTAGES[request.param]


@pytest.fixture
def visitor(valkey: Valkey, outage: tuple[Event, Event]) -> Iterator[Visitor]:
    """The web server has just lost Redis, whose cached answers are about to become wrong."""
    StaffFactory.create(username="admin", password=PASSWORD)
    record(UserFactory.create(username="grace", full_name="Grace Hopper"))
    # At INFO, a failure would show only gunicorn's output.
    with serving(REDIS_URL=valkey.url, REQUESTS_PER_USER="1000/1m", LOG_LEVEL="ERROR") as server:
        visitor = Visitor(server)
        for name in ("admin", "grace"):
            visitor.log_in(name)
            assert [x_cache(visitor, "/analytics") for _ in range(2)] == ["miss", "hit"]
        outage[0](valkey)
        yield visitor


def x_cache(visitor: Visitor, route: str, **also: Any) -> str:
    answer = visitor.send("GET", route, **also)
    assert answer.status == 200, answer.json
    return str(answer.headers["X-Cache"])


def test_every_route_answers_as_ever(visitor: Visitor) -> None:
    grace = User.objects.get(username="grace").pk
    _accounts(visitor)
    refresh = visitor.log_in("grace")
    visitor.token = _refreshed(visitor, refresh)
    _transactions(visitor, grace)
    _staff(visitor, grace)
    _alerts(visitor, grace)
    _files(visitor)
    _wallets(visitor)

    # A new route has to be called here too.
    assert _all_operations() - visitor.called == set()


def _accounts(visitor: Visitor) -> None:
    visitor.token = ""
    body = REGISTRATION | {"password": PASSWORD}
    assert visitor.send("POST", "/auth/register", body).status == 201
    wrong = visitor.send("POST", "/auth/login", {"username": "jane", "password": "wrong"})
    assert wrong.status == 401
    visitor.log_in("jane")
    before = visitor.token
    assert visitor.send("GET", "/users/me").json["full_name"] == "Jane Doe"
    renamed = visitor.send("PATCH", "/users/me", {"full_name": "Jane Roe"})
    assert (renamed.status, renamed.json["full_name"]) == (200, "Jane Roe")
    assert visitor.send("GET", "/analytics").json["full_name"] == "Jane Roe"
    _keys(visitor)
    change = {"current_password": PASSWORD, "new_password": "another horse battery"}
    assert visitor.send("POST", "/users/me/password", change).status == 204
    visitor.token = before
    assert visitor.send("GET", "/analytics").status == 401
    visitor.log_in("jane", "another horse battery")


def _keys(visitor: Visitor) -> None:
    login, one = visitor.token, "/users/me/keys/{key_id}"
    made = visitor.send("POST", "/users/me/keys", {"name": "a", "scopes": ["analytics:read"]})
    assert made.status == 201
    visitor.token = made.json["key"]
    assert x_cache(visitor, "/analytics") == "bypass"
    visitor.token = login
    (row,) = visitor.send("GET", "/users/me/keys").json["results"]
    assert row["last_used_at"]
    assert visitor.send("DELETE", one, at=row["id"]).status == 204
    visitor.token = made.json["key"]
    assert visitor.send("GET", "/analytics").status == 401
    visitor.token = login


def _refreshed(visitor: Visitor, refresh: str) -> str:
    pair = visitor.send("POST", "/auth/refresh", {"refresh_token": refresh})
    assert pair.status == 200
    spent = visitor.send("POST", "/auth/logout", {"refresh_token": pair.json["refresh_token"]})
    assert spent.status == 204
    return str(pair.json["access_token"])


ONE = "/transactions/{transaction_id}"
ANALYTICS = ["/analytics", "/transactions/analytics", "/users/me/analytics"]
ANALYTICS += ["/users/{user_id}/analytics"]
CACHED = [*ANALYTICS, "/transactions"]
SERIES = ["/users/me/analytics/series", "/users/{user_id}/analytics/series"]


def _transactions(visitor: Visitor, user_id: int) -> None:
    row = visitor.send("POST", "/transactions", ROW)
    assert row.status == 201
    _shows(visitor, user_id, credit="10.00", debit="19.99", count=2)
    changed = visitor.send("PATCH", ONE, {"transaction_amount": "5.00"}, at=row.json["id"])
    assert (changed.status, changed.json["transaction_amount"]) == (200, "5.00")
    _shows(visitor, user_id, credit="10.00", debit="5.00", count=2)
    replaced = ROW | {"transaction_type": "credit"}
    assert visitor.send("PUT", ONE, replaced, at=row.json["id"]).status == 200
    assert visitor.send("GET", ONE, at=row.json["id"]).json["transaction_amount"] == "19.99"
    _shows(visitor, user_id, credit="29.99", debit="0.00", count=2)
    assert visitor.send("DELETE", ONE, at=row.json["id"]).status == 204
    _shows(visitor, user_id, credit="10.00", debit="0.00", count=1)


def _shows(visitor: Visitor, user_id: int, *, credit: str, debit: str, count: int) -> None:
    """Every cached read has these numbers, and none of them comes from the cache."""
    for route in ANALYTICS:
        body = visitor.send("GET", route, at=user_id).json
        sums = (body["total_credit"], body["total_debit"], body["total_transactions"])
        assert sums == (credit, debit, count)
    assert len(visitor.send("GET", "/transactions").json["results"]) == count
    for route in SERIES:
        (month,) = visitor.send("GET", route, at=user_id, query="?interval=month").json["results"]
        (line,) = month["by_currency"]
        assert (line["total_credit"], line["total_debit"]) == (credit, debit)
    assert {x_cache(visitor, route, at=user_id) for route in CACHED} == {"bypass"}
    month_route = {"at": user_id, "query": "?interval=month"}
    assert {x_cache(visitor, route, **month_route) for route in SERIES} == {"bypass"}


def _files(visitor: Visitor) -> None:
    assert visitor.send("GET", "/rates").json["source"] == "shipped"
    assert visitor.send("GET", "/currencies").json["results"][0]["code"] == "AED"
    bulk = visitor.send("POST", "/transactions/bulk", [ROW, ROW | {"external_id": "b-1"}])
    assert (bulk.status, bulk.json["created"]) == (201, 2)
    export = visitor.send("GET", "/transactions/export", query="?format=ndjson&external_id=b-1")
    assert (export.status, export.json["transaction_amount"]) == (200, "19.99")
    # No worker can be requested for it yet.
    _mappings(visitor)
    one = visitor.upload("/imports", csv("2026-01-31,1,credit"))
    assert one.status == 202
    route = "/imports/{import_id}"
    assert visitor.send("GET", route, at=one.json["id"]).json["status"] == "queued"
    (listed,) = visitor.send("GET", "/imports").json["results"]
    assert listed["id"] == one.json["id"]
    assert visitor.send("DELETE", route, at=one.json["id"]).status == 204
    assert visitor.send("GET", route, at=one.json["id"]).json["status"] == "cancelled"
    undone = visitor.send("POST", f"{route}/undo", at=one.json["id"])
    assert (undone.status, undone.json["status"]) == (202, "undoing")


def _mappings(visitor: Visitor) -> None:
    columns = {"Day": {"role": "transaction_date"}, "Amount": {"role": "signed_amount"}}
    body = {"name": "mine", "mapping": {"columns": columns}}
    route = "/imports/mappings/{name}"
    assert visitor.send("POST", "/imports/mappings", body).status == 201
    (listed,) = visitor.send("GET", "/imports/mappings").json["results"]
    assert visitor.send("GET", route, at="mine").json == listed
    assert visitor.send("PUT", route, body, at="mine").json["mapping"] == body["mapping"]
    assert visitor.send("DELETE", route, at="mine").status == 204


def _alerts(visitor: Visitor, user_id: int) -> None:
    add_default_rules()
    event = {"type": "deposit", "amount": "200.01", "user_id": user_id, "time": 1_800_000_000}
    assert visitor.send("POST", "/events", event).json["alert_codes"] == [123]
    (alert,) = visitor.send("GET", "/alerts").json["results"]
    assert alert["code"] == 123


WALLET = "/wallets/{name}"
HELD = [f"{WALLET}/currencies", f"{WALLET}/currencies_converted", "/currencies_converted"]


def _wallets(visitor: Visitor) -> None:
    assert visitor.send("POST", "/wallets", {"name": "main"}).status == 201
    opened = {"currency": "USD", "amount": "5"}
    assert visitor.send("POST", HELD[0], opened, at="main").json == opened | {"amount": "5.00"}
    funds = f"{HELD[0]}/{{code}}/funds"
    for amount, left in (("1.50", "6.50"), ("-6.50", "0.00")):
        moved = visitor.send("POST", funds, {"amount": amount}, at="main", code="USD")
        assert (moved.status, moved.json["amount"]) == (201, left)
        for route in HELD[1:]:
            converted = visitor.send("GET", route, at="main", query="?to=USD")
            assert (converted.json["sum"], converted.headers["X-Cache"]) == (left, "bypass")
        (line,) = visitor.send("GET", HELD[0], at="main").json["results"]
        assert line["amount"] == left
    assert visitor.send("PUT", WALLET, {"name": "a"}, at="main").status == 200
    assert visitor.send("PATCH", WALLET, {"name": "b"}, at="a").status == 200
    assert visitor.send("GET", WALLET, at="b").json["name"] == "b"
    assert [row["name"] for row in visitor.send("GET", "/wallets").json["results"]] == ["b"]
    assert visitor.send("DELETE", WALLET, at="b").status == 204
    assert visitor.send("GET", "/wallets").json["results"] == []


def _staff(visitor: Visitor, user_id: int) -> None:
    visitor.log_in("admin")
    assert visitor.send("GET", "/users/{user_id}", at=user_id).json["full_name"] == "Grace Hopper"
    assert len(visitor.send("GET", "/users").json["results"]) == 3
    customer = visitor.send("POST", "/users", {"name": "Jane Doe", "total": "1"})
    assert (customer.status, customer.json["total"]) == (201, "1.00")
    more = visitor.send("POST", "/users/bulk", [{"name": "Jane Doe", "total": "1"}] * 2)
    assert (more.status, more.json["created"]) == (201, 2)
    assert visitor.send("GET", ANALYTICS[-1], at=user_id).json["total_transactions"] == 1


def _all_operations() -> set[str]:
    paths = SchemaGenerator().get_schema(public=True)["paths"]
    return {
        f"{method.upper()} {path.removeprefix('/api/v1')}"
        for path in paths
        for method in paths[path]
    }


def test_when_it_is_back_nothing_old_is_answered(
    visitor: Visitor, valkey: Valkey, outage: tuple[Event, Event]
) -> None:
    assert visitor.send("POST", "/transactions", ROW).status == 201

    outage[1](valkey)
    eventually(lambda: x_cache(visitor, "/analytics") != "bypass")

    assert x_cache(visitor, "/analytics") == "hit"
    assert visitor.send("GET", "/analytics").json["total_transactions"] == 2
