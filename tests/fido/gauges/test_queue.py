"""What waits in the queues and since when, and who has made progress."""

import json
import time
from typing import Any

import pytest
from django_celery_beat.schedulers import DatabaseScheduler
from django_redis import get_redis_connection

from accounts.tasks import purge_sessions
from analytics import tasks
from fido.celery import app
from fido.lib.cache import progress
from fido.queues import PERIODIC, SENT_AT
from fido.scheduler import Scheduler
from tests.gauges import gauges
from tests.queue import flood
from tests.races import DEADLINE_SECONDS, wait_until
from tests.valkey import Valkey
from tests.worker import running_worker

pytestmark = pytest.mark.django_db
AN_HOUR = pytest.approx(3600, abs=DEADLINE_SECONDS)
NOW = pytest.approx(0, abs=DEADLINE_SECONDS)


def date_back(queue: str, seconds: float | None) -> None:
    """Make its first message older, or as an earlier release has sent it."""
    redis = get_redis_connection()
    message = json.loads(redis.lindex(queue, -1))
    if seconds is None:
        del message["headers"][SENT_AT]
    else:
        message["headers"][SENT_AT] -= seconds
    redis.lset(queue, -1, json.dumps(message))


def test_each_queue_tells_its_length_and_the_age_of_its_first_message() -> None:
    flood(purge_sessions, 3)
    date_back("periodic", 3600)
    tasks.sweep_totals.delay()

    found = gauges()

    lengths = {name: found[f"queue_messages {name}"] for name in ("periodic", "totals", "imports")}
    assert lengths == {"periodic": 3, "totals": 1, "imports": 0}
    assert found["queue_oldest_seconds periodic"] == AN_HOUR
    assert found["queue_oldest_seconds totals"] == NOW
    assert found["queue_oldest_seconds imports"] == 0


def test_an_earlier_releases_message_has_a_length_and_no_age() -> None:
    purge_sessions.delay()
    date_back("periodic", None)

    found = gauges()

    assert found["queue_messages periodic"] == 1
    assert "queue_oldest_seconds periodic" not in found


def test_the_queue_may_have_a_redis_of_its_own(settings: Any, tmp_path: Any) -> None:
    valkey = Valkey(tmp_path)
    settings.CELERY_BROKER_URL = valkey.url
    purge_sessions.delay()  # into the other one
    progress.note("beat")

    found = gauges()
    valkey.kill()
    without = gauges()

    assert found["queue_messages periodic"] == 0
    assert without["gauges_read queues queue"] == 0
    assert "queue_messages periodic" not in without
    assert without["last_progress_timestamp_seconds beat"] > 0


def test_a_redis_that_hangs_delays_nobody(settings: Any, tmp_path: Any) -> None:
    valkey = Valkey(tmp_path)
    settings.CELERY_BROKER_URL = valkey.url
    valkey.freeze()

    assert gauges()["gauges_read queues queue"] == 0
    valkey.thaw()
    valkey.kill()


def test_with_redis_away_the_rest_is_shown(redis_away: None) -> None:
    found = gauges()

    assert found["gauges_read progress redis"] == 0
    assert found["gauges_read totals postgresql"] == 1
    assert not [name for name in found if name.startswith("last_progress")]


def test_beat_notes_each_look_at_its_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseScheduler, "tick", lambda self: 5.0)
    assert "last_progress_timestamp_seconds beat" not in gauges()

    Scheduler(app=app, lazy=True).tick()

    assert time.time() - gauges()["last_progress_timestamp_seconds beat"] == NOW


@pytest.mark.django_db(transaction=True)
def test_a_worker_notes_its_heartbeats_and_what_has_succeeded() -> None:
    with running_worker():
        tasks.sweep_totals.delay()
        wait_until(lambda: {"worker", "analytics.sweep_totals"} <= progress.noted().keys())
        first = progress.noted()["worker"]
        wait_until(lambda: progress.noted()["worker"] > first)
        assert gauges()["periodic_success_timestamp_seconds analytics.sweep_totals"] > 0

    assert progress.noted().keys() == {"worker", "analytics.sweep_totals"}


def test_what_fails_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_fold", lambda: 1 / 0)

    assert tasks.sweep_totals.apply().failed()

    assert progress.noted() == {}


def test_a_job_that_beat_does_not_ask_for_is_not_noted() -> None:
    assert tasks.fold_totals.apply().successful()

    assert progress.noted() == {}


def test_periodic_jobs_are_those_of_the_schedule() -> None:
    assert {each["task"] for each in app.conf.beat_schedule.values()} == set(PERIODIC)


def test_progress_is_never_evicted() -> None:
    progress.note("beat")

    assert get_redis_connection().ttl(progress.KEY) == -1
