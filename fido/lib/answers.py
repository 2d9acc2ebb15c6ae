"""Answers over HTTP that are kept in the versioned cache, and that a client need not read twice."""

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from fido.lib import conditional, versioned_cache
from fido.lib.conditional import rendered
from fido.lib.versioned_cache import View


def remember_view(request: Request, view: View | None) -> None:
    """Authentication has looked at the user's state; the answer is found under what it saw."""
    request._request.fido_view = view  # type: ignore[attr-defined]


def answered(
    request: Request, question: str | None, make: Callable[[], dict[str, Any]]
) -> HttpResponse:
    """The answer that `make` gives, from the cache where it is kept there.

    `question` names all that the answer depends on besides the caller's own data; None is never
    kept. `X-Cache` says where it came from. With `If-None-Match` of the same answer: 304.
    """
    view: View | None = getattr(request._request, "fido_view", None)
    if question is None or view is None or view.writer_stands:
        return _response(request, rendered(make()), "bypass")
    kept = versioned_cache.find(view, question)
    if kept is not None:
        return _response(request, kept, "hit")
    body = rendered(make())
    versioned_cache.keep(view, question, body)
    return _response(request, body, "miss")


def _response(request: Request, body: bytes, source: str) -> HttpResponse:
    response = conditional.answer(request, body, conditional.etag_of(body))
    response["X-Cache"] = source
    return response
