"""Cached reads: no database, two round trips, and the same bytes."""

import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from accounts import operations as accounts
from analytics import operations as totals
from analytics import queries
from fido.lib.cache import redis_link
from fido.lib.cache.redis_link import BEAT_SECONDS, GENERATION_KEY, LEASE_SECONDS, lease
from tests.client import ApiClient
from tests.factories import record
from tests.races import wait_until
from transactions import operations as writes

PATHS = [
    "/analytics",
    "/users/me/analytics?start=2026-01-31T01:00:00Z&currency=EUR",
    "/users/me/analytics/series?interval=month",
    "/transactions?limit=2&full_name=ada+lovelace",
]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def history(ada: ApiClient) -> ApiClient:
    for _ in range(3):
        record(ada.user, full_name="Ada Lovelace")  # type: ignore[arg-type]
    return ada


@pytest.mark.parametrize("path", PATHS)
def test_a_second_read_asks_no_database_and_is_the_same_to_the_byte(
    history: ApiClient, path: str
) -> None:
    first = history.get(path)
    with CaptureQueriesContext(connection) as asked:
        second = history.get(path)

    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert len(asked) == 0
    assert second.content == first.content
    same = ("ETag", "Content-Type", "Cache-Control", "Vary", "Allow")
    assert [second.headers.get(h) for h in same] == [first.headers.get(h) for h in same]
    get_redis_connection().flushdb()
    assert history.get(path).content == first.content


def test_a_read_that_is_kept_costs_two_round_trips(
    history: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.get("/analytics")
    sent: list[Any] = []
    pool = get_redis_connection().connection_pool
    send = pool.connection_class.send_packed_command

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.current_thread() is threading.main_thread():  # not the beat
            sent.append(args)
        return send(self, *args, **kwargs)

    monkeypatch.setattr(pool.connection_class, "send_packed_command", counted)

    assert history.get("/analytics").headers["X-Cache"] == "hit"
    assert len(sent) == 2


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_that_the_client_has_is_not_sent_again(history: ApiClient, path: str) -> None:
    etag = history.get(path).headers["ETag"]

    for offered in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        answer = history.request("get", path, HTTP_IF_NONE_MATCH=offered)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
    record(history.user, full_name="Ada Lovelace", external_id="new")  # type: ignore[arg-type]
    answer = history.request("get", path, HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "miss")


WRITES: dict[str, Callable[[ApiClient, Any], Any]] = {
    "create": lambda ada, row: record(ada.user),  # type: ignore[arg-type]
    "edit": lambda ada, row: writes.amend(row=row, changes={"full_name": "Somebody"}),
    "delete": lambda ada, row: writes.delete(row=row),
    "profile": lambda ada, row: accounts.update_profile(
        user=ada.user,  # type: ignore[arg-type]
        changes={"full_name": "Augusta"},
    ),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_every_write_shows_in_the_next_read_and_leaves_others_alone(
    ada: ApiClient, ben: ApiClient, write: Callable[[ApiClient, Any], Any]
) -> None:
    row = record(ada.user)  # type: ignore[arg-type]
    for client in (ada, ben):
        for path in PATHS:
            client.get(path)

    write(ada, row)

    assert {ada.get(path).headers["X-Cache"] for path in PATHS} == {"miss"}
    assert {ben.get(path).headers["X-Cache"] for path in PATHS} == {"hit"}


def test_silence_ends_no_answer(history: ApiClient) -> None:
    history.get("/analytics")

    for _ in range(int(LEASE_SECONDS / BEAT_SECONDS) + 2):
        wait_until(a_lease_begins)

    assert get_redis_connection().persist(GENERATION_KEY)
    assert history.get("/analytics").headers["X-Cache"] == "hit"


def test_an_answer_that_could_not_be_kept_says_so(
    history: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = queries.summary

    def lose_redis(**question: Any) -> Any:
        monkeypatch.setattr(redis_link, "get_redis_connection", Mock(side_effect=RedisError))
        return summary(**question)

    monkeypatch.setattr(queries, "summary", lose_redis)
    answer = history.get("/analytics")
    monkeypatch.undo()

    assert (answer.status_code, answer.headers["X-Cache"]) == (200, "bypass")


def a_lease_begins() -> bool:
    """Whether a thread of this process has prolonged the generation, while nobody reads."""
    client = get_redis_connection()
    if begun := 0 < client.pttl(GENERATION_KEY) <= lease():
        # So that the next one shows, and a process that is held up meanwhile misses nothing.
        client.pexpire(GENERATION_KEY, 1000 * lease())
    return bool(begun)


def test_a_fold_makes_no_answer_anew(history: ApiClient) -> None:
    history.get("/analytics")

    totals.fold([history.user_id])

    assert history.get("/analytics").headers["X-Cache"] == "hit"


def test_deactivation_and_a_new_password_end_a_remembered_login(
    ada: ApiClient, ben: ApiClient
) -> None:
    for client in (ada, ben):
        assert [client.get("/analytics").status_code for _ in range(2)] == [200, 200]

    accounts.set_active(user=ada.user, active=False)  # type: ignore[arg-type]
    accounts.set_password(user=ben.user, password="another horse battery")  # type: ignore[arg-type]

    assert [client.get("/analytics").status_code for client in (ada, ben)] == [401, 401]


def test_who_is_made_staff_is_staff_at_the_next_read(ada: ApiClient, ben: ApiClient) -> None:
    record(ben.user)  # type: ignore[arg-type]
    ada.grant("transactions.view_transaction")
    assert [ada.get("/transactions").json()["results"] for _ in range(2)] == [[], []]

    accounts.set_rights(user=ada.user, rights={"is_staff": True})  # type: ignore[arg-type]

    assert len(ada.get("/transactions").json()["results"]) == 1


def test_staff_reading_anothers_are_logged_each_time(ada: ApiClient, staff: ApiClient) -> None:
    from accounts.models import AccessLogEntry  # noqa: PLC0415

    answers = [staff.get(f"/users/{ada.user_id}/analytics") for _ in range(2)]

    assert [answer.headers["X-Cache"] for answer in answers] == ["bypass", "bypass"]
    assert AccessLogEntry.objects.count() == 2


def test_no_name_is_in_redis(history: ApiClient) -> None:
    for path in PATHS:
        history.get(path)
    client = get_redis_connection()
    keys = list(client.scan_iter("fido:*"))

    kept = [*keys, *(client.get(key) for key in keys if client.type(key) == b"string")]

    assert len(keys) > len(PATHS)
    for name in (b"Lovelace", b"lovelace"):  # a random token may well contain "ada"
        assert not [value for value in kept if name in value]


def test_what_a_remembered_login_did_not_know_is_read_in_one_statement(ada: ApiClient) -> None:
    first = ada.get("/users/me")
    with CaptureQueriesContext(connection) as asked:
        second = ada.get("/users/me")

    assert second.content == first.content
    assert len(asked) == 1
