"""Cached answers over HTTP, with conditional requests."""

from django.http import HttpResponse
from rest_framework.request import Request

from fido.lib.api import conditional, fast_path
from fido.lib.cache.answers import Answer, find_or_make
from fido.lib.cache.versioned_cache import View


def remember_view(request: Request, view: View | None) -> None:
    """Keep the view of the user's state that authentication read: it selects the cached answer."""
    request._request.fido_view = view  # type: ignore[attr-defined]


def kept_answer(request: Request, answer: Answer) -> HttpResponse:
    """The answer, from the cache if possible.

    `X-Cache` names its source. If `If-None-Match` has the same answer's tag: 304.
    """
    view: View | None = getattr(request._request, "fido_view", None)
    body, source = find_or_make(view, answer)
    if answer.question is not None and source != "bypass":
        fast_path.teach(request._request, answer.kind, answer.question)
    response = conditional.answer(request, body, conditional.etag_of(body))
    response["X-Cache"] = source
    return response
