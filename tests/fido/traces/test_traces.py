"""One trace from a request to the jobs that it causes, through real processes."""

import json
from collections.abc import Iterator
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from accounts.models import User
from analytics.alerts.models import WebhookEndpoint
from tests.alerts import add_default_rules
from tests.client import session_of
from tests.factories import UserFactory
from tests.fido.processes import eventually
from tests.fido.traces.collector import Collector, Span
from tests.receiver import Receiver
from tests.webserver import WebServer, serving
from tests.worker import running_worker

pytestmark = pytest.mark.django_db(transaction=True)
NAME, ADDRESS, DESCRIPTION = "Rosalind Planted", "planted@secret.example", "planted diagnosis"
KEY, AMOUNT, EXTERNAL, WALLET = f"planted-{uuid4().hex}", "98761.43", "planted-77", "hoard"
QUERY = "full_name=Rosalind%20Planted"
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector().open() as collector:
        yield collector


@pytest.fixture
def rosa() -> User:
    return UserFactory.create(full_name=NAME, email=ADDRESS)


def ask(
    server: WebServer, user: User, method: str, path: str, body: Any = None, **more: str
) -> Any:
    headers = {"Authorization": f"Bearer {token_of(user)}", "Content_Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    return server.request(method, f"/api/v1{path}", data, **headers | more)


def token_of(user: User) -> str:
    """Each user logs in once."""
    if not hasattr(user, "token"):
        user.token = session_of(user).access_token  # type: ignore[attr-defined]
    return str(user.token)  # type: ignore[attr-defined]


def withdrawal() -> dict[str, str]:
    row = {"transaction_amount": AMOUNT, "transaction_type": "debit", "description": DESCRIPTION}
    return row | {"transaction_date": "2026-01-31T12:00:00Z", "external_id": EXTERNAL}


def of(spans: list[Span], **attributes: Any) -> list[Span]:
    wanted = {name.replace("__", "."): value for name, value in attributes.items()}
    return [span for span in spans if wanted.items() <= span.attributes.items()]


def arrived(collector: Collector, route: str, number: int) -> bool:
    return len(of(collector.spans(), http__route=route)) == number


def test_a_request_and_its_jobs_are_one_trace_with_nothing_personal(
    collector: Collector, rosa: User
) -> None:
    add_default_rules()
    with Receiver().open() as receiver:
        hook = f"{receiver.url}&planted=hook"
        WebhookEndpoint.objects.create(url=hook)
        variables: dict[str, Any] = collector.variables() | {"WEBHOOK_ALLOW_LOOPBACK": "true"}
        with running_worker(**variables), serving("--workers=2", **variables) as server:
            # What is refused and what fails must not say more than what succeeds.
            assert ask(server, rosa, "POST", "/transactions", {"amount": NAME}).status == 400
            assert ask(server, rosa, "GET", f"/nope/Rosalind?{QUERY}").status == 404
            assert ask(server, rosa, "GET", f"/transactions?{QUERY}").status == 200
            written = ask(server, rosa, "POST", "/transactions", withdrawal(), Idempotency_Key=KEY)
            assert written.status == 201, written.content
            eventually(lambda: bool(of(collector.spans(), fido__job="alerts.deliver")))
            eventually(lambda: bool(receiver.received))

    spans = collector.spans()
    (request,) = of(spans, http__request__method="POST", http__response__status_code=201)
    trace = [span for span in spans if span.trace == request.trace]
    assert (request.name, request.service) == ("POST api/v1/transactions", "fido-web")
    assert "postgresql WITH" in {span.name for span in trace if span.parent == request.id}
    assert "redis" in {span.name for span in trace if span.parent == request.id}
    # A job may have asked for another one.
    (check,) = [span for span in of(trace, fido__job="alerts.check") if span.parent == request.id]
    assert check.service == "fido-worker"
    assert {"postgresql", "redis"} <= {
        span.attributes.get("db.system.name") for span in trace if span.parent == check.id
    }
    checks = {span.id for span in of(trace, fido__job="alerts.check")}
    assert checks & {span.parent for span in of(trace, fido__job="alerts.deliver")}
    assert_nothing_personal(collector, rosa, hook)


def assert_nothing_personal(collector: Collector, user: User, hook: str) -> None:
    planted = [*NAME.split(), ADDRESS, "planted", AMOUNT, EXTERNAL, KEY, hook, "hook", "diagnosis"]
    planted += [token_of(user), token_of(user).rpartition(".")[2], user.username, QUERY]
    found = b"".join(collector.bodies).lower()
    assert len(collector.spans()) > 10
    assert [word for word in planted if word.lower().encode() in found] == []


def test_an_answer_from_before_django_has_a_span(collector: Collector, rosa: User) -> None:
    with serving(**collector.variables()) as server:

        def is_kept() -> bool:
            return str(ask(server, rosa, "GET", "/analytics").headers["X-Cache"]) == "hit"

        eventually(is_kept)
        eventually(is_kept)  # the second one comes from before Django

    spans = collector.spans()
    last = of(spans, http__route="api/v1/analytics")[-1]
    assert [span.name for span in spans if span.parent == last.id] == ["redis"]


def test_only_a_proxy_of_ours_may_say_which_trace_it_is(collector: Collector, rosa: User) -> None:
    for number, proxies in enumerate(["", "127.0.0.0/8"], start=1):
        with serving(TRUSTED_PROXIES=proxies, **collector.variables()) as server:
            more = {"Traceparent": PARENT, "Tracestate": "planted=1"}
            assert ask(server, rosa, "GET", "/wallets", **more).status == 200
            eventually(partial(arrived, collector, "api/v1/wallets", number))

    alone, joined = of(collector.spans(), http__route="api/v1/wallets")
    assert (alone.trace == PARENT.split("-")[1], alone.parent) == (False, "")
    assert [joined.trace, joined.parent] == PARENT.split("-")[1:3]
    assert b"planted" not in b"".join(collector.bodies)


def test_log_lines_name_the_trace_and_probes_have_none(collector: Collector, rosa: User) -> None:
    with serving(**collector.variables()) as server:
        assert server.request("GET", "/readyz").status == 200
        ask(server, rosa, "GET", "/wallets")
        eventually(partial(arrived, collector, "api/v1/wallets", 1))
        lines = [json.loads(line) for line in server.log().splitlines() if line.startswith("{")]

    (span,) = of(collector.spans(), http__route="api/v1/wallets")
    (line,) = [line for line in lines if line.get("path") == "/api/v1/wallets"]
    assert line["trace_id"] == span.trace
    assert {span.trace for span in collector.spans()} == {line["trace_id"]}
