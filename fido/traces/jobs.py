"""A span for each job. One that a request caused belongs to the request's trace."""

from contextlib import ExitStack
from typing import Any

from celery.signals import (
    before_task_publish,
    task_postrun,
    task_prerun,
    worker_init,
    worker_process_init,
)
from opentelemetry.trace import SpanKind

from fido.traces import export, spans

# The spans of the jobs that run, by the jobs' ids.
_running = dict[str, tuple[ExitStack, Any]]()


def watch() -> None:
    # Held here: a signal keeps no receiver alive.
    before_task_publish.connect(_send_along, weak=False, dispatch_uid="fido.traces")
    task_prerun.connect(_begin, weak=False, dispatch_uid="fido.traces")
    task_postrun.connect(_end, weak=False, dispatch_uid="fido.traces")
    for started in (worker_init, worker_process_init):
        started.connect(_export, weak=False, dispatch_uid="fido.traces")


def _export(**kwargs: Any) -> None:
    export.start("fido-worker")


def _send_along(headers: dict[str, Any], **kwargs: Any) -> None:
    if parent := spans.traceparent():
        headers["traceparent"] = parent


def _begin(task_id: str, task: Any, **kwargs: Any) -> None:
    parent = getattr(task.request, "traceparent", None) or ""
    attributes = {"messaging.system": "celery", "fido.job": task.name}
    stack = ExitStack()
    _running[task_id] = (
        stack,
        stack.enter_context(spans.entered(SpanKind.CONSUMER, attributes, parent)),
    )


def _end(task_id: str, state: str | None, retval: Any, **kwargs: Any) -> None:
    stack, span = _running.pop(task_id, (ExitStack(), None))
    if span and isinstance(retval, BaseException):
        spans.fail(span, retval)
    stack.close()
