"""What no span may say does not get out, whoever put it in. Without a collector nothing runs."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from fido.traces import database, export, jobs, spans
from tests.fido.processes import PROJECT, eventually
from tests.servers import operators_environment
from tests.webserver import serving

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
# redis-py loads some of OpenTelemetry if it is installed.
OURS = ("fido.traces.", "opentelemetry.sdk.trace", "opentelemetry.exporter")
LOADED = f"print([name for name in sys.modules if name.startswith({OURS})])"
UNINSTALLED = "import sys; sys.modules['opentelemetry'] = None"


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What would leave this process."""
    kept, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(export.Allowed(kept)))
    monkeypatch.setattr(spans, "_tracer", provider.get_tracer("planted-scope"))
    yield kept
    provider.shutdown()


def in_bytes(sent: InMemorySpanExporter) -> bytes:
    found = sent.get_finished_spans()
    assert found
    return bytes(encode_spans(found).SerializeToString()).lower()


def test_nothing_gets_out_that_is_not_on_the_list(sent: InMemorySpanExporter) -> None:
    state = TraceState([("planted", "planted")])
    remote = SpanContext(1, 2, is_remote=True, trace_flags=SAMPLED, trace_state=state)
    span = spans._tracer.start_span(
        "GET /planted?full_name=planted",
        set_span_in_context(NonRecordingSpan(remote)),
        SpanKind.SERVER,
        {"http.route": "api/v1/wallets", "url.full": "planted", "db.query.text": "planted"},
        [Link(remote, {"planted": "planted"})],
    )
    span.add_event("planted", {"planted": "planted"})
    span.record_exception(ValueError("planted"))
    span.set_status(Status(StatusCode.ERROR, "planted"))
    span.end()

    assert b"planted" not in in_bytes(sent)
    (found,) = sent.get_finished_spans()
    assert (found.name, found.attributes) == ("api/v1/wallets", {"http.route": "api/v1/wallets"})
    assert (found.parent.span_id, found.status.status_code) == (2, StatusCode.ERROR)


def test_a_span_of_somebody_else_is_named_other(sent: InMemorySpanExporter) -> None:
    spans._tracer.start_span("planted").end()
    (found,) = sent.get_finished_spans()
    assert found.name == "other"


def test_of_a_statement_that_fails_the_class_is_told(sent: InMemorySpanExporter) -> None:
    def execute(*args: Any) -> None:
        raise ValueError("planted")

    with spans.entered(SpanKind.SERVER, {}), pytest.raises(ValueError, match="planted"):
        database._traced(execute, "planted planted", ["planted"], False, {})

    statement = sent.get_finished_spans()[0]
    assert (statement.name, statement.attributes["error.type"]) == (
        "postgresql other",
        "ValueError",
    )
    assert b"planted" not in in_bytes(sent)


def test_of_a_job_that_fails_the_class_is_told(sent: InMemorySpanExporter) -> None:
    class Task:
        name = "totals.fold"
        request = object()

    jobs._begin("1", Task)
    jobs._end("1", "FAILURE", ValueError("planted"))

    (job,) = sent.get_finished_spans()
    assert (job.name, job.attributes["error.type"]) == ("totals.fold", "ValueError")
    assert job.status.status_code == StatusCode.ERROR
    assert b"planted" not in in_bytes(sent)


def test_what_happens_outside_of_a_request_has_no_span(sent: InMemorySpanExporter) -> None:
    assert database._traced(lambda *args: args[0], "SELECT 1", None, False, {}) == "SELECT 1"
    assert sent.get_finished_spans() == ()


def python(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT,
        env=operators_environment(**variables),
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_a_collector_nothing_is_loaded() -> None:
    done = python(f"import sys, fido.wsgi, fido.celery; {LOADED}")
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_without_a_collector_the_packages_may_be_missing() -> None:
    done = python(f"{UNINSTALLED}; import fido.wsgi, fido.celery")
    assert done.returncode == 0, done.stderr


def test_with_a_collector_and_without_the_packages_the_start_says_what_to_install() -> None:
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}
    done = python(f"{UNINSTALLED}; import fido.wsgi", **collector)
    assert "install requirements-traces.txt too" in done.stderr


@pytest.mark.django_db(transaction=True)
def test_a_collector_that_is_away_keeps_no_request() -> None:
    away = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    with serving(**away) as server:
        assert server.request("GET", "/api/v1/wallets").status == 401
        eventually(lambda: "exporting spans" in server.log())
        assert server.request("GET", "/api/v1/wallets").status == 401
