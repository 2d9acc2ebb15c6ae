"""A span for each request, also for those that are answered before Django."""

from collections.abc import Callable, Iterable
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from structlog.contextvars import bound_contextvars

from fido.lib.api.client_address import is_trusted_proxy
from fido.lib.api.middleware import PROBES
from fido.lib.process.signals import served
from fido.traces import spans

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def traced(application: Wsgi) -> Wsgi:
    served.connect(_describe, dispatch_uid="fido.traces")

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] in PROBES:
            return application(environ, start_response)
        # As long as the line in the log says: a body that is streamed comes later.
        with spans.entered(SpanKind.SERVER, {}, _parent(environ)) as span:
            trace_id = trace.format_trace_id(span.get_span_context().trace_id)
            # For the lines of the log. It travels with the jobs, as the request's id does.
            with bound_contextvars(trace_id=trace_id):
                return application(environ, start_response)

    return answer


def _parent(environ: dict[str, Any]) -> str:
    # A client could choose the ids, and have everything of its own recorded.
    trusted = is_trusted_proxy(environ.get("REMOTE_ADDR", ""))
    return environ.get("HTTP_TRACEPARENT", "") if trusted else ""


def _describe(method: str, route: str, status: int, **kwargs: Any) -> None:
    span = trace.get_current_span()
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(StatusCode.ERROR)
