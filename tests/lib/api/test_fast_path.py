"""Kept answers before Django: to every request the same response, and never one that is old."""

import time
from collections.abc import Iterator
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from accounts import operations as accounts
from accounts.models import User
from fido.lib.cache.redis_link import link
from fido.lib.values import clock
from fido.lib.values.limits import Rate
from tests.api_keys import Machine
from tests.client import ApiClient
from tests.factories import StaffFactory, record
from tests.wsgi import Response, Server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def long_way() -> Server:
    """The same with the fast path off."""
    server = Server()
    server.application = server._django  # type: ignore[assignment]
    return server


@pytest.fixture(autouse=True)
def _no_beat(settings: Any) -> Iterator[None]:
    yield
    link.beats = False


def seen(response: Response) -> Response:
    """What is the same for two requests that are the same."""
    status, headers, body = response
    return status, {k: v for k, v in headers.items() if k != "X-Request-ID"}, body


def test_the_third_request_costs_no_django(server: Server, ada: ApiClient) -> None:
    first = server.get("/analytics", ada.token)
    assert first[1]["X-Cache"] == "miss"

    again = server.get("/analytics", ada.token)

    assert server.calls == 1
    assert again[1]["X-Cache"] == "hit"
    assert again[2] == first[2]


PATHS = [
    *("/analytics", "/users/me/analytics", "/transactions", "/wallets", "/analytics/"),
    *("/users/{ada}/analytics", "/users/{ben}/analytics", "/rates", "/alerts", "/users/me"),
    *("/users/me/analytics/series", "/transactions/analytics", "/currencies_converted", "/nothing"),
]
QUERIES = ["", "limit=1", "interval=month", "to=EUR", "currency=JPY", "start=2026-01-31", "x=1"]
HEADERS: list[dict[str, str]] = [
    {},
    {"HTTP_ACCEPT": "application/json"},
    {"HTTP_ACCEPT": "text/html"},
    {"HTTP_X_REQUEST_ID": "mine-1"},
    {"HTTP_X_FORWARDED_PROTO": "https"},
    {"HTTP_IF_NONE_MATCH": '"0"'},
    {"HTTP_IF_NONE_MATCH": "*"},
    {"HTTP_COOKIE": "sessionid=abc"},
    {"HTTP_HOST": "elsewhere.example.org"},
    {"REQUEST_METHOD": "HEAD"},
    {"REQUEST_METHOD": "OPTIONS"},
    {"CONTENT_LENGTH": "0"},
]
whats = st.tuples(
    st.sampled_from(PATHS),
    st.sampled_from(QUERIES),
    st.sampled_from(["ada", "ada", "ben", "staff", "nobody", "forged", "machine", "analyst"]),
)


@pytest.fixture
def clients(ada: ApiClient, ben: ApiClient, staff: ApiClient) -> dict[str, ApiClient]:
    assert ada.user
    machine = Machine(ada.user)
    analyst = Machine(ada.user, "analytics:read", name="analyst")
    return {"ada": ada, "ben": ben, "staff": staff, "machine": machine, "analyst": analyst}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(what=whats, variations=st.permutations(HEADERS))
def test_both_ways_give_the_same_response(
    what: Any, variations: Any, server: Server, long_way: Server, clients: dict[str, ApiClient]
) -> None:
    tokens: dict[str, Any] = {name: client.token for name, client in clients.items()}
    tokens |= {"nobody": None, "forged": f"{tokens['ada']}x"}
    path = what[0].format(**{name: client.user_id for name, client in clients.items()})
    request = (path, tokens[what[2]], what[1])
    for token in (tokens["ada"], tokens["machine"], request[1]) * 2:
        server.get(path, token, what[1])  # from here on it is known, where it can be

    for headers in [*variations, *variations]:
        expected = seen(long_way.get(*request, **headers))
        assert seen(server.get(*request, **headers)) == expected, headers


def test_the_property_goes_the_fast_way_at_all(server: Server, ada: ApiClient) -> None:
    for path in ("/analytics", "/transactions", "/wallets", f"/users/{ada.user_id}/analytics"):
        server.get(path, ada.token)
        assert server.is_fast(path, ada.token)


def test_what_the_client_has_is_not_sent_again(server: Server, ada: ApiClient) -> None:
    etag = server.get("/analytics", ada.token)[1]["ETag"]
    known = {"HTTP_IF_NONE_MATCH": etag}
    server.get("/analytics", ada.token, **known)

    before = server.calls
    status, headers, body = server.get("/analytics", ada.token, **known)

    assert server.calls == before
    assert (status, body, headers["ETag"]) == ("304 Not Modified", b"", etag)


def test_a_write_is_in_the_next_answer(server: Server, ada: ApiClient) -> None:
    assert ada.user
    for count in range(3):
        assert f'"total_transactions":{count},'.encode() in server.get("/analytics", ada.token)[2]
        assert server.is_fast("/analytics", ada.token)
        record(ada.user)


def ends_the_epoch(user: User) -> None:
    accounts.end_sessions(user=user)


def sets_a_password(user: User) -> None:
    accounts.set_password(user=user, password="another horse battery")


def deactivates(user: User) -> None:
    accounts.set_active(user=user, active=False)


def test_a_key_goes_the_fast_way_too(server: Server, ada: ApiClient) -> None:
    assert ada.user
    machine = Machine(ada.user, "transactions:read", "analytics:read")
    for path in ("/analytics", "/transactions"):
        server.get(path, machine.token)
        assert server.is_fast(path, machine.token)


def test_a_key_learns_nothing_from_a_login_or_from_a_key_with_other_scopes(
    server: Server, ada: ApiClient
) -> None:
    assert ada.user
    all_, other = Machine(ada.user), Machine(ada.user, "transactions:read", name="other")
    known = [(ada, "/analytics"), (all_, "/analytics"), (other, "/transactions")]
    for client, path in known:
        server.get(path, client.token)
        assert server.is_fast(path, client.token)

    for _ in range(2):
        assert server.get("/analytics", other.token)[0].startswith("403")
    assert server.is_fast("/transactions", other.token)


def test_a_revoked_key_gets_nothing_at_once(server: Server, ada: ApiClient) -> None:
    assert ada.user
    machine, other = Machine(ada.user), Machine(ada.user, name="other")
    for client in (machine, other, ada):
        server.get("/analytics", client.token)
        assert server.is_fast("/analytics", client.token)

    machine.revoke()

    assert server.get("/analytics", machine.token)[0].startswith("401")
    for client in (ada, other):
        for _ in range(2):
            assert server.get("/analytics", client.token)[0] == "200 OK"
        assert server.is_fast("/analytics", client.token)
    # Not even now that there is an answer again.
    assert server.get("/analytics", machine.token)[0].startswith("401")


def test_an_expired_key_gets_nothing(
    server: Server, ada: ApiClient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CACHE_SECONDS = 3600  # the answer and the login outlive the key
    assert ada.user
    end = clock.now() + timedelta(minutes=2)
    machine = Machine(ada.user, expires_at=end)
    server.get("/analytics", machine.token)
    assert server.is_fast("/analytics", machine.token)

    monkeypatch.setattr(time, "time", lambda: end.timestamp() + 1)
    monkeypatch.setattr(clock, "now", lambda: end + timedelta(seconds=1))

    assert server.get("/analytics", machine.token)[0].startswith("401")


def test_once_an_hour_the_use_of_a_key_is_noted(
    server: Server, ada: ApiClient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CACHE_SECONDS = 7200
    assert ada.user
    machine = Machine(ada.user)
    server.get("/analytics", machine.token)
    assert server.is_fast("/analytics", machine.token)
    later = time.time() + 3601
    monkeypatch.setattr(time, "time", lambda: later)

    assert not server.is_fast("/analytics", machine.token)
    assert server.is_fast("/analytics", machine.token)


def test_nothing_is_learned_of_a_key_of_staff(server: Server) -> None:
    machine = Machine(StaffFactory.create())
    for path in ("/analytics", "/transactions"):
        server.get(path, machine.token)
        assert not server.is_fast(path, machine.token)


@pytest.mark.parametrize("act", [ends_the_epoch, sets_a_password, deactivates])
def test_a_token_that_counts_no_more_gets_nothing_at_once(
    server: Server, ada: ApiClient, act: Any
) -> None:
    server.get("/analytics", ada.token)
    assert server.is_fast("/analytics", ada.token)

    act(ada.user)

    assert server.get("/analytics", ada.token)[0].startswith("401")
    if act is not deactivates:
        again = ApiClient(ada.user)
        for _ in range(2):
            server.get("/analytics", again.token)
        assert server.is_fast("/analytics", again.token)
    # Not even now that there is an answer again, which another session has found.
    assert server.get("/analytics", ada.token)[0].startswith("401")


def test_who_becomes_staff_is_answered_as_staff(server: Server, ada: ApiClient) -> None:
    assert ada.user
    server.get("/transactions", ada.token)

    accounts.set_rights(user=ada.user, rights={"is_staff": True, "is_superuser": True})

    assert server.get("/transactions", ada.token)[1]["X-Cache"] == "bypass"


def test_an_expired_token_gets_nothing(
    server: Server, ada: ApiClient, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CACHE_SECONDS = 3600  # the answer and the login outlive the token
    server.get("/analytics", ada.token)
    assert server.is_fast("/analytics", ada.token)
    later = time.time() + 16 * 60
    monkeypatch.setattr(time, "time", lambda: later)

    assert not server.is_fast("/analytics", ada.token)


def test_anothers_token_gets_its_own(server: Server, ada: ApiClient, ben: ApiClient) -> None:
    for client in (ada, ben, ada, ben):
        body = server.get("/analytics", client.token)[2]
        assert f'"user_id":{client.user_id},'.encode() in body
    path = f"/users/{ada.user_id}/analytics"
    server.get(path, ada.token)
    assert server.is_fast(path, ada.token)
    assert server.get(path, ben.token)[0].startswith("404")


def test_a_rate_of_requests_is_counted(server: Server, ada: ApiClient, settings: Any) -> None:
    server.get("/analytics", ada.token)
    settings.REQUESTS_PER_USER = Rate(2, 60)

    statuses = [server.get("/analytics", ada.token)[0][:3] for _ in range(3)]

    assert statuses == ["200", "200", "429"]


def test_what_came_by_https_is_not_told_over_http(ada: ApiClient, settings: Any) -> None:
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1/32")]
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT = True
    server, by_https = Server(get_wsgi_application()), {"HTTP_X_FORWARDED_PROTO": "https"}
    for _ in range(2):
        assert server.get("/analytics", ada.token, **by_https)[0] == "200 OK"
    assert server.is_fast("/analytics", ada.token, **by_https)

    strangers = by_https | {"REMOTE_ADDR": "192.0.2.1"}
    for headers in ({}, {"HTTP_X_FORWARDED_PROTO": "http"}, strangers):
        assert server.get("/analytics", ada.token, **headers)[0].startswith("301"), headers


def test_one_setting_turns_it_off(server: Server, ada: ApiClient, settings: Any) -> None:
    settings.FAST_PATH = False
    server.get("/analytics", ada.token)

    assert not server.is_fast("/analytics", ada.token)


def test_with_redis_away_the_long_way_answers(
    server: Server, ada: ApiClient, request: pytest.FixtureRequest
) -> None:
    server.get("/analytics", ada.token)
    request.getfixturevalue("redis_away")

    status, headers, _ = server.get("/analytics", ada.token)

    assert (status, headers["X-Cache"]) == ("200 OK", "bypass")


def test_a_request_is_logged_and_counted_like_any_other(
    server: Server, ada: ApiClient, caplog: pytest.LogCaptureFixture
) -> None:
    server.get("/analytics", ada.token)
    before = counted()

    server.get("/analytics", ada.token, HTTP_X_REQUEST_ID="mine-1")

    line: Any = caplog.records[-1].msg
    assert {name: line[name] for name in ("method", "path", "status", "request_id")} == {
        "method": "GET",
        "path": "/api/v1/analytics",
        "status": 200,
        "request_id": "mine-1",
    }
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1]


def counted() -> list[float]:
    """How many requests of the route there were, and hits."""
    route = {"method": "GET", "route": "api/v1/analytics", "status": "200"}
    hits = {"answer": "analytics", "source": "hit"}
    return [
        REGISTRY.get_sample_value("fido_request_seconds_count", route) or 0,
        REGISTRY.get_sample_value("fido_cached_answers_total", hits) or 0,
    ]


def test_nothing_is_learned_of_staff(server: Server) -> None:
    staff = ApiClient(StaffFactory.create())
    assert django_settings.FAST_PATH
    for path in ("/analytics", "/transactions"):
        server.get(path, staff.token)
        assert not server.is_fast(path, staff.token)
