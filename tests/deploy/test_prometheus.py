"""Each alert fires when it should, and each expression asks for something that is there."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from analytics.alerts.models import WebhookEndpoint
from fido.celery import app
from fido.lib.cache import progress
from fido.queues import PERIODIC
from fido.scheduler import Scheduler
from tests.alerts import add_default_rules, recorded, stream
from tests.bank import StubBank, table
from tests.client import ApiClient
from tests.deploy.prometheus import FOLDER, Prometheus, metrics_of, needs, scraping
from tests.fido.processes import PROJECT
from tests.races import wait_until
from tests.receiver import Receiver
from tests.webserver import WebServer, serving
from tests.worker import running_worker

TOKEN = "a-token-for-prometheus"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text())["groups"][0]["rules"]
TESTS = yaml.safe_load((FOLDER / "rules_test.yml").read_text())["tests"]
DASHBOARD = json.loads((PROJECT / "deploy" / "grafana" / "dashboard.json").read_text())
QUERIES = [
    (panel["title"], target["expr"].replace("$__rate_interval", "1m"))
    for panel in DASHBOARD["panels"]
    for target in panel.get("targets", ())
]


@needs("promtool")
@pytest.mark.parametrize("command", ["check rules rules.yml", "test rules rules_test.yml"])
def test_each_alert_fires_when_it_should(command: str) -> None:
    done = subprocess.run(
        ["promtool", *command.split()], check=False, cwd=FOLDER, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_a_test_and_says_what_to_do() -> None:
    names = [rule["alert"] for rule in RULES]
    runbook = (PROJECT / "docs" / "operations.md").read_text()

    tested = {test["name"].partition(",")[0] for test in TESTS[1:]}
    explained = re.findall(r"^### (\w+)$", runbook, re.MULTILINE)
    assert tested == set(names)
    assert explained == names
    for rule in RULES:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "do", "runbook"}
        assert rule["annotations"]["do"] in runbook
        assert rule["annotations"]["runbook"] == f"docs/operations.md#{rule['alert'].lower()}"


def test_each_panel_has_a_place_and_a_description() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}

    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert len(places) == len(panels)
    assert all(panel["description"] and panel["targets"] for panel in panels)


def test_the_names_in_an_expression_are_found() -> None:
    text = 'sum by (le) (rate(a_b{x="c d"}[5m])) / on() group_left() max(e) > 3 * f or vector(0)'

    assert metrics_of(text) == {"a_b", "e", "f"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bank: StubBank) -> None:
    (tmp_path / "counts").mkdir()
    bank.gives(A=table("A", USD="3.95"))
    for name, value in {
        "METRICS_TOKEN": TOKEN,
        "PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "counts"),
        "RATES_URL": str(settings.RATES_URL),
        "WEBHOOK_ALLOW_LOOPBACK": "true",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().open() as receiver:
        yield receiver


def use(server: WebServer, client: ApiClient) -> None:
    """Some of everything that is counted."""
    assert client.user
    bearer = {"Authorization": f"Bearer {client.token}"}
    for path in ["/analytics"] * 3 + ["/transactions", "/nothing-here"]:
        assert server.request("GET", f"/api/v1{path}", **bearer).status in {200, 404}
    recorded(client.user, stream("-101@0")[0])  # raises an alert, for a webhook


def have_all_jobs_run() -> None:
    Scheduler(app=app).tick()  # writes the schedule, and shows that beat lives
    for task in PERIODIC:
        app.send_task(task)
    wait_until(lambda: {*PERIODIC, "worker", "beat"} <= progress.noted().keys())


@needs("prometheus")
@pytest.mark.django_db(transaction=True)
def test_each_expression_finds_what_it_asks_for(
    ada: ApiClient, environment: None, receiver: Receiver, tmp_path: Path
) -> None:
    add_default_rules()
    WebhookEndpoint.objects.create(url=receiver.url)
    with serving() as server, running_worker(), scraping(server.port, TOKEN, tmp_path) as found:
        use(server, ada)
        have_all_jobs_run()
        wait_until(lambda: bool(receiver.received))
        # A rate needs two scrapes, and the last count is in the second one.
        wait_until(lambda: bool(found.query("rate(fido_webhook_attempts_total[1m]) >= 0")))
        use(server, ada)
        wait_until(lambda: bool(found.query("rate(fido_alerts_total[1m]) > 0")))
        wait_until(lambda: all(rule["health"] == "ok" for rule in found.rules()))

        assert wrong_rules(found) == []
        assert wrong_panels(found) == []


def wrong_rules(prometheus: Prometheus) -> list[Any]:
    known = prometheus.metrics()
    assert len(prometheus.rules()) == len(RULES)
    return [
        (rule["alert"], unknown)
        for rule in RULES
        if (unknown := metrics_of(rule["expr"]) - known) or prometheus.query(rule["expr"]) is None
    ]


def wrong_panels(prometheus: Prometheus) -> list[Any]:
    """Those whose query names what is not there, or finds nothing at all."""
    known = prometheus.metrics()
    return [
        (title, expression, metrics_of(expression) - known)
        for title, expression in QUERIES
        if metrics_of(expression) - known or not prometheus.query(expression)
    ]
