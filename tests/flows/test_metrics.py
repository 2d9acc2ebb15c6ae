"""`GET /metrics`: off by default, and correct for any number of processes."""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.test import Client, override_settings

from analytics import tasks
from analytics.alerts.models import WebhookEndpoint
from fido.gauges import collector
from fido.lib.values import clock
from tests.client import ApiClient
from tests.factories import record
from tests.fido.processes import descendants, eventually
from tests.gauges import samples
from tests.races import wait_until
from tests.valkey import Valkey
from tests.webserver import WebServer, serving
from tests.worker import Worker

TOKEN = "a-token-for-prometheus"
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
WRONG = ["", "Bearer", "Bearer ", "Bearer é", TOKEN, f"Basic {TOKEN}", f"Bearer  {TOKEN}"]
WRONG += [f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}"]
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
WARMED = 'fido_warmed_answers_total{outcome="warmed"}'
pytestmark = pytest.mark.django_db(transaction=True)


def scraped(server: WebServer) -> dict[str, float]:
    """Each sample by its name and labels, as written."""
    answer = server.request("GET", "/metrics", **SHOWN)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    lines = answer.content.decode().splitlines()
    found = [SAMPLE.match(line) for line in lines if not line.startswith("#")]
    return {f"{match[1]}{{{match[2] or ''}}}": float(match[3]) for match in found if match}


def answers(samples: dict[str, float], kind: str) -> dict[str, float]:
    pattern = re.compile(rf'fido_cached_answers_total{{answer="{kind}",source="(\w+)"}}')
    return {
        match[1]: value for name, value in samples.items() if (match := pattern.fullmatch(name))
    }


def test_without_a_token_the_page_is_not_there() -> None:
    with override_settings(METRICS_TOKEN=None):
        for headers in ({}, SHOWN, {"Authorization": "Bearer "}):
            assert Client().get("/metrics", headers=headers).status_code == 404


@pytest.mark.parametrize("shown", WRONG)
def test_without_the_token_nothing_is_shown(shown: str) -> None:
    with override_settings(METRICS_TOKEN=TOKEN):
        answer = Client().get("/metrics", headers={"Authorization": shown})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid-token"
    assert b"fido_" not in answer.content


def test_a_users_token_is_no_token_for_metrics(ada: ApiClient) -> None:
    with override_settings(METRICS_TOKEN=TOKEN):
        assert ada.request("get", "/api/../metrics").status_code == 404
        headers = {"Authorization": f"Bearer {ada.token}"}
        assert Client().get("/metrics", headers=headers).status_code == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_one_process_alone_counts_without_a_folder(ada: ApiClient, scheme: str) -> None:
    ada.get("/analytics")
    with override_settings(METRICS_TOKEN=TOKEN):
        answer = Client().get("/metrics", headers={"Authorization": f"{scheme} {TOKEN}"})

    assert answer.status_code == 200
    assert b'fido_cached_answers_total{answer="analytics",source="miss"}' in answer.content


def test_it_is_neither_in_the_schema_nor_in_the_log() -> None:
    with serving(METRICS_TOKEN=TOKEN) as server:
        scraped(server)
        assert server.request("GET", "/metrics").status == 401
        assert b"/metrics" not in server.request("GET", "/api/schema").content

        log = server.log()
    assert '"path": "/api/schema"' in log
    assert "/metrics" not in log
    assert TOKEN not in log


@pytest.fixture
def counted(tmp_path: Path) -> dict[str, str]:
    """The environment of processes that share their counts."""
    return {"METRICS_TOKEN": TOKEN, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}


class Web:
    """gunicorn with its workers, and a user who sends requests."""

    def __init__(self, server: WebServer, client: ApiClient) -> None:
        self.server, self.token = server, f"Bearer {client.token}"

    def get(self, path: str) -> Any:
        return self.server.request("GET", f"/api/v1{path}", Authorization=self.token)

    def workers(self) -> set[int]:
        return descendants(self.server.pid)

    def both(self) -> set[int]:
        wait_until(lambda: len(self.workers()) == 2)
        return self.workers()

    @contextmanager
    def only(self, worker: int) -> Iterator[None]:
        """Stop the others."""
        others = self.workers() - {worker}
        for other in others:
            os.kill(other, signal.SIGSTOP)
        yield
        for other in others:
            os.kill(other, signal.SIGCONT)


def test_the_sums_of_two_workers_are_exact(ada: ApiClient, counted: dict[str, str]) -> None:
    assert ada.user
    with serving("--workers=2", **counted) as server:
        web = Web(server, ada)
        for number, worker in enumerate(web.both()):
            record(ada.user)
            with web.only(worker):
                for source in ["miss", *["hit"] * (number + 3)]:
                    assert web.get("/analytics").headers["X-Cache"] == source
                assert web.get("/transactions").headers["X-Cache"] == "miss"
                assert web.get("/nothing-here").status == 404

        samples = scraped(server)

    assert answers(samples, "analytics") == {"miss": 2, "hit": 7}
    assert answers(samples, "history") == {"miss": 2}
    seconds = 'fido_request_seconds_count{{method="GET",route="{}",status="{}"}}'
    assert samples[seconds.format("api/v1/analytics", 200)] == 9
    assert samples[seconds.format("none", 404)] == 2


def test_workers_that_are_replaced_lose_no_count_and_leave_no_files(
    ada: ApiClient, counted: dict[str, str], tmp_path: Path
) -> None:
    few = ("--max-requests=10", "--max-requests-jitter=0")
    with serving("--workers=2", *few, **counted) as server:
        web = Web(server, ada)
        first = web.both()
        for _ in range(40):
            assert web.get("/analytics").status == 200
        assert not web.workers() & first

        assert sum(answers(scraped(server), "analytics").values()) == 40

    # One more than workers, for the master that has forked them.
    assert len(list(tmp_path.glob("counter_*.db"))) <= 3


def test_killed_workers_lose_no_count(ada: ApiClient, counted: dict[str, str]) -> None:
    with serving("--workers=2", **counted) as server:
        web = Web(server, ada)
        first = web.both()
        for worker in first:
            with web.only(worker):
                web.get("/analytics")
        for worker in first:
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: len(web.workers() - first) == 2)

        assert sum(answers(scraped(server), "analytics").values()) == 2


def test_web_and_worker_count_together(
    ada: ApiClient, counted: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ada.user
    record(ada.user, transaction_date=clock.now())
    for name, value in counted.items():
        monkeypatch.setenv(name, value)
    worker = Worker()
    try:
        with serving(**counted) as server:
            tasks.warm_cache.delay()
            wait_until(lambda: WARMED in scraped(server))
            assert scraped(server)[WARMED] == 1
    finally:
        worker.stop()


def test_an_outage_of_redis_shows(ada: ApiClient, tmp_path: Path) -> None:
    folder = tmp_path / "valkey"
    folder.mkdir()
    valkey = Valkey(folder)
    with serving(METRICS_TOKEN=TOKEN, REDIS_URL=valkey.url) as server:
        web = Web(server, ada)
        assert web.get("/analytics").headers["X-Cache"] == "miss"
        valkey.stop(signal.SIGKILL)
        assert web.get("/analytics").headers["X-Cache"] == "bypass"
        wait_until(lambda: scraped(server)["fido_redis_away_seconds_total{}"] > 0.2)

        samples = scraped(server)

    assert samples["fido_redis_outages_total{}"] == 1
    assert answers(samples, "analytics") == {"miss": 1, "bypass": 1}


def test_gauges_are_there_once_and_outlive_no_process(
    ada: ApiClient, counted: dict[str, str]
) -> None:
    assert ada.user
    with serving("--workers=2", **counted) as server:
        web = Web(server, ada)
        first = web.both()
        record(ada.user)
        for worker in first:
            with web.only(worker):
                page = server.request("GET", "/metrics", **SHOWN).content.decode()
                assert samples(page)["fido_pending_totals"] == 1
        for worker in first:
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: len(web.workers() - first) == 2)
        record(ada.user)

        page = server.request("GET", "/metrics", **SHOWN).content.decode()

    assert samples(page)["fido_pending_totals"] == 2
    assert page.count("# TYPE fido_pending_totals gauge\n") == 1


def test_without_postgresql_the_counts_and_the_queues_are_shown(counted: dict[str, str]) -> None:
    nowhere = "postgres://nobody@127.0.0.1:1/nothing"
    with serving(**counted, DATABASE_URL=nowhere) as server:
        found = scraped(server)

    assert found['fido_request_seconds_count{method="GET",route="livez",status="200"}'] >= 1
    assert found['fido_queue_messages{queue="totals"}'] == 0
    assert found['fido_gauges_read{gauges="checks",source="postgresql"}'] == 0
    assert found['fido_gauges_read{gauges="queues",source="queue"}'] == 1
    assert not [name for name in found if name.startswith("fido_pending")]


def test_without_redis_the_counts_and_what_waits_in_the_database_are_shown(
    counted: dict[str, str],
) -> None:
    nowhere = "redis://127.0.0.1:1/0"
    with serving(**counted, REDIS_URL=nowhere, CELERY_BROKER_URL=nowhere) as server:
        found = scraped(server)

    assert found["fido_redis_outages_total{}"] == 1
    assert found["fido_pending_totals{}"] == 0
    assert found['fido_gauges_read{gauges="checks",source="postgresql"}'] == 1
    assert found['fido_gauges_read{gauges="queues",source="queue"}'] == 0
    assert found['fido_gauges_read{gauges="progress",source="redis"}'] == 0


def test_no_gauge_tells_of_anybody(ada: ApiClient) -> None:
    assert ada.user
    record(ada.user, full_name="Planted", description="planted")
    WebhookEndpoint.objects.create(url="https://planted.example.org", description="planted")

    page = collector.exposition().decode()

    assert "planted" not in page.lower()
    labels = set(re.findall(r'[{,](\w+)="', page))
    assert labels == {"endpoint", "gauges", "kind", "of", "queue", "source", "state"}
