"""How a span is made here: with attributes that the export allows, and no exception's message."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_tracer = trace.get_tracer("fido")
# Of the standard's two headers it reads and writes `traceparent`. `tracestate` is never passed to
# it, because it is free text.
_propagator = TraceContextTextMapPropagator()


def within(attributes: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """A span of something asked of a server, inside of the current one.

    If there is none, nothing is recorded: what threads do all the time would fill the collector.
    """
    if not trace.get_current_span().is_recording():
        return nullcontext()
    return _span(SpanKind.CLIENT, attributes)


@contextmanager
def entered(kind: SpanKind, attributes: Mapping[str, Any], parent: str = "") -> Iterator[Any]:
    """The span of a request or a job; `parent` is a `traceparent`."""
    carrier = {"traceparent": parent}
    # Not the current context: this begins something of its own.
    context = _propagator.extract(carrier, Context())
    with _span(kind, attributes, context) as span:
        yield span


def traceparent() -> str:
    """Of the current span, for what it causes; empty if there is none."""
    carrier = dict[str, str]()
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


def fail(span: Any, error: BaseException) -> None:
    span.set_attribute("error.type", type(error).__name__)
    span.set_status(StatusCode.ERROR)


@contextmanager
def _span(
    kind: SpanKind, attributes: Mapping[str, Any], context: Context | None = None
) -> Iterator[Any]:
    # The name is composed at the export, of attributes.
    with _tracer.start_as_current_span(
        "fido",
        context,
        kind,
        attributes,
        # Messages of exceptions may hold values.
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            fail(span, error)
            raise
