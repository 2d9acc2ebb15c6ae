"""Warming: answers are cached before anyone requests them, and are never stale."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler
from django_redis import get_redis_connection

from accounts import operations as accounts
from accounts.models import User
from analytics import queries, tasks, warming
from analytics.warming import LOCK, Outcome, warm
from fido.celery import app
from fido.lib.cache import versioned_cache
from fido.lib.cache.redis_link import Away, link
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.races import wait_until
from tests.worker import running_worker

PATHS = ["/analytics", "/users/me/analytics"]
TODAY = clock.midnight(clock.now().date())
pytestmark = pytest.mark.django_db(transaction=True)


def user_of(client: ApiClient) -> User:
    assert client.user
    return client.user


@pytest.fixture
def history(ada: ApiClient) -> ApiClient:
    record(user_of(ada), transaction_amount=Decimal("19.99"), full_name="Ada Lovelace")
    return ada


def answers_kept() -> list[bytes]:
    return list(get_redis_connection().scan_iter("fido:{*}:*:*"))


@pytest.mark.parametrize("path", PATHS)
def test_the_first_read_after_it_asks_no_database_and_is_the_same_to_the_byte(
    history: ApiClient, path: str
) -> None:
    made = history.get(path)
    get_redis_connection().flushdb()

    assert warm(history.user_id) is Outcome.WARMED
    with CaptureQueriesContext(connection) as asked:
        warmed = history.get(path)

    assert (made.headers["X-Cache"], warmed.headers["X-Cache"]) == ("miss", "hit")
    assert len(asked) == 0
    assert warmed.content == made.content
    assert warmed.headers["ETag"] == made.headers["ETag"]


def test_no_name_is_in_redis(history: ApiClient) -> None:
    warm(history.user_id)
    client = get_redis_connection()

    keys = list(client.scan_iter())
    kept = [*keys, *(client.dump(key) for key in keys)]

    assert b"string" in {client.type(key) for key in keys}
    assert b"Ada Lovelace" in history.get("/analytics").content
    # Not the first name, which random hexadecimal digits may contain.
    for name in (b"Lovelace", b"lovelace"):
        assert not [value for value in kept if name in value]


@pytest.fixture
def overtaken(history: ApiClient, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The user's next write is acknowledged right after the query of the warming."""
    summary, rows = queries.summary, list[Any]()

    def old(**question: Any) -> Any:
        answer = summary(**question)
        if not rows:
            rows.append(record(user_of(history)))
        return answer

    monkeypatch.setattr(queries, "summary", old)
    return rows


def test_a_write_that_overtakes_it_is_in_the_next_read(
    history: ApiClient, overtaken: list[Any]
) -> None:
    assert warm(history.user_id) is Outcome.WARMED

    assert len(overtaken) == 1
    answers = [history.get("/analytics") for _ in range(2)]
    assert [answer.json()["total_transactions"] for answer in answers] == [2, 2]
    assert [answer.headers["X-Cache"] for answer in answers] == ["miss", "hit"]


def test_a_login_that_ends_meanwhile_is_not_remembered(
    history: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_login = versioned_cache.keep_login

    def late(*args: Any) -> None:
        accounts.set_active(user=user_of(history), active=False)
        keep_login(*args)

    monkeypatch.setattr(versioned_cache, "keep_login", late)
    warm(history.user_id)

    assert history.get("/analytics").status_code == 401


def test_while_somebody_writes_nothing_is_kept(history: ApiClient) -> None:
    with write_fence(history.user_id):
        assert warm(history.user_id) is Outcome.SKIPPED

    assert history.get("/analytics").headers["X-Cache"] == "miss"


def test_who_is_inactive_is_left_out(history: ApiClient) -> None:
    accounts.set_active(user=user_of(history), active=False)

    assert warm(history.user_id) is Outcome.SKIPPED
    assert warm(history.user_id + 1000) is Outcome.SKIPPED
    assert answers_kept() == []


def ttl_of_the_answer() -> float:
    (key,) = answers_kept()
    return float(get_redis_connection().pttl(key)) / 1000


@pytest.mark.parametrize(("left", "outcome"), [(250, Outcome.KEPT), (190, Outcome.WARMED)], ids=str)
def test_only_an_answer_that_would_not_outlast_the_next_round_is_made_anew(
    ada: ApiClient, left: int, outcome: Outcome
) -> None:
    with override_settings(CACHE_SECONDS=left):
        warm(ada.user_id)
    assert ttl_of_the_answer() <= left

    assert warm(ada.user_id) is outcome
    assert (ttl_of_the_answer() > left) == (outcome is Outcome.WARMED)


def test_with_redis_away_it_says_so(history: ApiClient, redis_away: None) -> None:
    with pytest.raises(Away):
        warm(history.user_id)
    warming.warm_most_active()  # the process that noticed has logged it


def test_the_most_active_are_those_with_most_transactions_of_the_last_days() -> None:
    users = UserFactory.create_batch(6)
    days = [(0, 2), (6, 3), (7, 9), (-1, 1), (0, 4)]
    for user, (days_ago, count) in zip(users, days, strict=False):
        for _ in range(count):
            record(user, transaction_date=TODAY - timedelta(days=days_ago))
    accounts.set_active(user=users[4], active=False)

    with CaptureQueriesContext(connection) as asked:
        assert queries.most_active_users(10) == [users[1].pk, users[0].pk, users[3].pk]
    assert len(asked) == 1
    assert queries.most_active_users(2) == [users[1].pk, users[0].pk]


def test_who_deleted_everything_is_not_active(history: ApiClient) -> None:
    row = record(user_of(history), transaction_date=TODAY)
    assert queries.most_active_users(1) == [history.user_id]

    assert history.delete(f"/transactions/{row.pk}").status_code == 204

    assert queries.most_active_users(1) == []


@pytest.fixture
def busy(ada: ApiClient, ben: ApiClient) -> list[ApiClient]:
    """Ada is more active than Ben."""
    for client in (ada, ada, ben):
        record(user_of(client), transaction_date=TODAY)
    return [ada, ben]


def sources(clients: list[ApiClient]) -> list[str]:
    return [client.get("/analytics").headers["X-Cache"] for client in clients]


@pytest.mark.parametrize(
    ("users", "expected"),
    [(0, ["miss", "miss"]), (1, ["hit", "miss"]), (2, ["hit", "hit"])],
)
def test_a_round_warms_as_many_as_the_setting_says(
    busy: list[ApiClient], users: int, expected: list[str]
) -> None:
    with override_settings(WARM_USERS=users):
        tasks.warm_cache()

    assert sources(busy) == expected


def test_two_rounds_at_once_are_one(busy: list[ApiClient], monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[int] = []

    def during_another(user_id: int) -> None:
        warmed.append(user_id)
        warming.warm_most_active()

    monkeypatch.setattr(warming, "warm", during_another)
    for _ in range(2):  # the first one lets the second one run once it has ended
        warming.warm_most_active()

    assert warmed == [client.user_id for client in busy] * 2


def test_a_lock_that_a_dead_worker_left_lapses_with_its_round(busy: list[ApiClient]) -> None:
    get_redis_connection().lock(LOCK, timeout=100).acquire()
    warming.warm_most_active()
    assert sources(busy) == ["miss", "miss"]
    get_redis_connection().delete(LOCK)

    seen: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warming, "warm", lambda _: seen.append(get_redis_connection().ttl(LOCK)))
        warming.warm_most_active()

    assert 145 < min(seen) <= max(seen) <= 150


def test_a_round_that_was_slower_than_its_lock_is_no_outage(
    busy: list[ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warming, "warm", lambda _: get_redis_connection().delete(LOCK))

    warming.warm_most_active()

    assert not link.is_down


def test_a_round_ends_before_the_next_one_begins(
    busy: list[ApiClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, warmed = [1000.0], []

    def slowly(user_id: int) -> None:
        warmed.append(user_id)
        now[0] += 151

    monkeypatch.setattr(warming, "warm", slowly)
    monkeypatch.setattr(warming, "monotonic", lambda: now[0])
    warming.warm_most_active()

    assert warmed == [busy[0].user_id]


def test_a_worker_does_it(busy: list[ApiClient]) -> None:
    with running_worker():
        tasks.warm_cache.delay()
        wait_until(lambda: len(answers_kept()) == 2)

    assert sources(busy) == ["hit", "hit"]


def test_the_scheduler_lets_rounds_lapse_that_nobody_took() -> None:
    DatabaseScheduler(app=app)

    row = PeriodicTask.objects.get(task="analytics.warm_cache")
    assert (row.interval.every, row.interval.period) == (150, "seconds")
    assert row.expire_seconds == 150


def test_it_only_reads_the_database(history: ApiClient) -> None:
    with CaptureQueriesContext(connection) as asked:
        warm(history.user_id)

    statements = [query["sql"] for query in asked]
    assert [sql.split()[0] for sql in statements] == ["SELECT", "WITH"]
    assert not re.search("insert|update|delete", " ".join(statements), re.IGNORECASE)
