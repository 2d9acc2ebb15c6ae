"""Answers over HTTP that are kept in the versioned cache, and that a client need not read twice."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from fido.lib import conditional, versioned_cache
from fido.lib.conditional import rendered
from fido.lib.metrics import CACHED_ANSWERS
from fido.lib.versioned_cache import View

Body = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """A question, and how its answer is made.

    `question` names all that the answer depends on besides the asking user's own data; None is
    never kept. `kind` is what metrics count it as.
    """

    kind: str
    question: str | None
    make: Callable[[], Body]

    def rendered(self) -> bytes:
        return rendered(self.make())


def remember_view(request: Request, view: View | None) -> None:
    """Authentication has looked at the user's state; the answer is found under what it saw."""
    request._request.fido_view = view  # type: ignore[attr-defined]


def answered(request: Request, answer: Answer) -> HttpResponse:
    """The answer, from the cache where it is kept there.

    `X-Cache` says where it came from. With `If-None-Match` of the same answer: 304.
    """
    view: View | None = getattr(request._request, "fido_view", None)
    body, source = _found_or_made(view, answer)
    CACHED_ANSWERS.labels(answer.kind, source).inc()
    return _response(request, body, source)


def keep_ready(view: View, answer: Answer) -> bool:
    """Makes the answer and keeps it as `answered` does; whether it is kept now."""
    return answer.question is not None and versioned_cache.keep(
        view, answer.question, answer.rendered()
    )


def _found_or_made(view: View | None, answer: Answer) -> tuple[bytes, str]:
    if answer.question is None or view is None or view.writer_stands:
        return answer.rendered(), "bypass"
    kept = versioned_cache.find(view, answer.question)
    if kept is not None:
        return kept, "hit"
    body = answer.rendered()
    return body, "miss" if versioned_cache.keep(view, answer.question, body) else "bypass"


def _response(request: Request, body: bytes, source: str) -> HttpResponse:
    response = conditional.answer(request, body, conditional.etag_of(body))
    response["X-Cache"] = source
    return response
