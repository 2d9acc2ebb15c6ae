"""What leaves the process: spans, with allowed attributes and nothing else."""

import atexit
from collections.abc import Sequence

from django.conf import settings
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext, Status

# For a batch, with all attempts. A process that ends waits for the last batch, and for one before.
SEND_SECONDS = 2.0
# What is kept for the next batch. Of more, the oldest is lost.
MAX_SPANS = 2048
# Nothing that a client or a person has written: patterns of routes, names of jobs and of classes,
# numbers. A new one needs a look at whatever may be in it.
ALLOWED = (
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "db.system.name",
    "db.operation.name",
    "messaging.system",
    "fido.job",
    "error.type",
)
# These make the name of a span, as far as it has them.
NAMING = ("http.request.method", "http.route", "db.system.name", "db.operation.name", "fido.job")


def start(service: str) -> None:
    """Send this process's spans from now on. Starts a thread, so it comes after any fork."""
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), shutdown_on_exit=False
    )
    sender = OTLPSpanExporter(
        endpoint=f"{settings.TRACES_ENDPOINT}/v1/traces", timeout=SEND_SECONDS
    )
    provider.add_span_processor(
        BatchSpanProcessor(
            Allowed(sender), max_queue_size=MAX_SPANS, max_export_batch_size=MAX_SPANS
        )
    )
    trace.set_tracer_provider(provider)
    atexit.register(provider.shutdown)


class Allowed(SpanExporter):  # type: ignore[misc]
    """Passes on what is allowed, whoever made the span."""

    def __init__(self, following: SpanExporter) -> None:
        self._following = following

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._following.export([reduced(span) for span in spans])

    def shutdown(self) -> None:
        self._following.shutdown()


def reduced(span: ReadableSpan) -> ReadableSpan:
    """The same without other attributes, events, links, and the status's text."""
    given = span.attributes or {}
    attributes = {name: given[name] for name in ALLOWED if name in given}
    return ReadableSpan(
        name=" ".join(str(attributes[name]) for name in NAMING if name in attributes) or "other",
        context=_bare(span.context),
        parent=_bare(span.parent),
        resource=span.resource,
        attributes=attributes,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
    )


def _bare(context: SpanContext | None) -> SpanContext | None:
    # Without `tracestate`, which is free text.
    if context is None:
        return None
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags)
