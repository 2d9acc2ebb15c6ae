"""What is asked under load, of whom it is asked, and which ratio is the target."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from accounts import keys
from accounts.models import User
from benchmarks.service import requests
from benchmarks.service.requests import DAY, NUMBER, Requests, get, lanes, post
from benchmarks.service.stack import Side
from benchmarks.service.world import World
from fido.lib.api.scopes import SCOPES
from tests.client import session_of

ANALYTICS, HISTORY, EVENTS = "/api/v1/analytics", "/api/v1/transactions", "/api/v1/events"
SERIES = "/api/v1/users/me/analytics/series"
BULK_ROWS, BULK_CLIENTS = 5_000, 4
CREATE, SUMMARY = "create, 64 users", "summary of 10 years"
KEPT, ONE_USER = "kept analytics", "create, one user"

# How the ratio is made of Fido and what it is compared with: by CPU time a request, the same the
# other way round, or by rows a second.
Ratio = Literal["cpu", "cpu-inverse", "rows"]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """`peer` is the name of a side, or of another workload of Fido's."""

    name: str
    make: Callable[[World, Side], Requests]
    sides: tuple[str, ...] = ("fido", "C")
    peer: str = "C"
    target: float | None = None
    ratio: Ratio = "cpu"
    rows: int = 1
    writes: bool = False
    only_whole: bool = False


def kept_analytics(world: World, side: Side) -> Requests:
    path = "/kept" if side.name == "view" else ANALYTICS
    return lanes([get(_token(world.reader), path)])


def kept_by_api_key(world: World, side: Side) -> Requests:
    return lanes([get(_api_key(world.reader), ANALYTICS)])


def kept_page(world: World, side: Side) -> Requests:
    return lanes([get(_token(world.reader), HISTORY)])


def not_modified(world: World, side: Side) -> Requests:
    token = _token(world.reader)
    return lanes([get(token, ANALYTICS, If_None_Match=_etag(side, token))])


def create_spread(world: World, side: Side) -> Requests:
    body = requests.transaction()
    return lanes(post(_token(user), HISTORY, body) for user in world.writers)


def create_one_user_by_api_key(world: World, side: Side) -> Requests:
    return lanes([post(_api_key(world.writer), HISTORY, requests.transaction())])


def create_one_user(world: World, side: Side) -> Requests:
    return lanes([post(_token(world.writer), HISTORY, requests.transaction())])


def create_with_key(world: World, side: Side) -> Requests:
    body, key = requests.transaction(), f"payment-{NUMBER}"
    return lanes(post(_token(user), HISTORY, body, Idempotency_Key=key) for user in world.writers)


def create_with_wallet(world: World, side: Side) -> Requests:
    body = requests.transaction(wallet="main")
    return lanes(post(_token(user), HISTORY, body) for user in world.writers)


def events(world: World, side: Side) -> Requests:
    """A lane has users of its own, because the events of one user come in order."""
    of_users = [_deposit_and_withdrawal(user) for user in world.writers]
    return [
        [request for pair in of_users[n :: requests.CLIENTS] for request in pair]
        for n in range(requests.CLIENTS)
    ]


def _deposit_and_withdrawal(user: User) -> list[str]:
    """Both raise an alert: more than 200 within half a minute, and more than 100 at once."""
    token, whose = _token(user), {"user_id": user.pk, "time": NUMBER}
    kinds = (("deposit", "250.00"), ("withdraw", "150.00"))
    return [post(token, EVENTS, {"type": kind, "amount": sum_, **whose}) for kind, sum_ in kinds]


def bulk(world: World, side: Side) -> Requests:
    rows = [requests.transaction(transaction_amount=f"{n + 1}.50") for n in range(BULK_ROWS)]
    path = f"{HISTORY}/bulk"
    return lanes((post(_token(user), path, rows) for user in world.bulk), BULK_CLIENTS)


def page_not_kept(world: World, side: Side) -> Requests:
    return lanes([get(_token(world.reader), f"{HISTORY}?end={DAY}")])


def analytics_of_100(world: World, side: Side) -> Requests:
    return lanes([get(_token(world.hundred), f"{ANALYTICS}?end={DAY}")])


def analytics_of_a_million(world: World, side: Side) -> Requests:
    assert world.million
    return lanes([get(_token(world.million), f"{ANALYTICS}?end={DAY}")])


def series(world: World, side: Side) -> Requests:
    return lanes([get(_token(world.decade), f"{SERIES}?interval=month&end={DAY}")])


def summary(world: World, side: Side) -> Requests:
    return lanes([get(_token(world.decade), f"{ANALYTICS}?end={DAY}")])


WORKLOADS = (
    Workload(
        name=KEPT,
        make=kept_analytics,
        sides=("fido", "C", "view", "plain"),
        target=1.5,
    ),
    Workload(
        name="kept analytics, by API key",
        make=kept_by_api_key,
        sides=("fido",),
        peer=KEPT,
        target=1.1,
    ),
    Workload(name="kept history page", make=kept_page, target=1.5),
    Workload(name="not modified (304)", make=not_modified, target=1.5),
    Workload(name=CREATE, make=create_spread, target=2.5, writes=True),
    Workload(name=ONE_USER, make=create_one_user, target=2.5, writes=True),
    Workload(
        name="create, one user by API key",
        make=create_one_user_by_api_key,
        sides=("fido",),
        peer=ONE_USER,
        target=1.1,
        writes=True,
    ),
    Workload(name="create with a key", make=create_with_key, target=2.5, writes=True),
    Workload(
        name="create in a wallet",
        make=create_with_wallet,
        sides=("fido",),
        peer=CREATE,
        target=1.3,
        writes=True,
    ),
    Workload(
        name="event with alerts",
        make=events,
        sides=("fido",),
        peer=CREATE,
        target=1.5,
        writes=True,
    ),
    Workload(
        name="a row of a bulk of 5,000",
        make=bulk,
        sides=("fido",),
        peer=CREATE,
        target=20,
        ratio="rows",
        rows=BULK_ROWS,
        writes=True,
    ),
    Workload(name="history page, not kept", make=page_not_kept, target=1.8),
    Workload(name="analytics of 100 rows, not kept", make=analytics_of_100, target=2.0),
    Workload(
        name="analytics of 1,000,000 rows, not kept",
        make=analytics_of_a_million,
        target=60,
        ratio="cpu-inverse",
        only_whole=True,
    ),
    Workload(name=SUMMARY, make=summary, sides=("fido",), peer=""),
    Workload(name="series of 10 years", make=series, sides=("fido",), peer=SUMMARY, target=3),
)


def _token(user: User) -> str:
    # A new one for each round: they last for 15 minutes.
    return session_of(user).access_token


@cache
def _api_key(user: User) -> str:
    # One for all rounds: keys last.
    return keys.make(user=user, name="bench", scopes=SCOPES, expires_at=None)[1]


def _etag(side: Side, token: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{side.port}{ANALYTICS}")
    request.add_header("Host", "localhost")
    request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=10) as answer:
        return str(answer.headers["ETag"])
