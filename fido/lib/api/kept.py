"""Kept answers over HTTP, which a client need not read twice."""

from django.http import HttpResponse
from rest_framework.request import Request

from fido.lib.api import conditional, fast_path
from fido.lib.cache.answers import Answer, find_or_make
from fido.lib.cache.versioned_cache import View


def remember_view(request: Request, view: View | None) -> None:
    """Authentication has looked at the user's state; the answer is found under what it saw."""
    request._request.fido_view = view  # type: ignore[attr-defined]


def kept_answer(request: Request, answer: Answer) -> HttpResponse:
    """The answer, from the cache where it is kept there.

    `X-Cache` says where it came from. With `If-None-Match` of the same answer: 304.
    """
    view: View | None = getattr(request._request, "fido_view", None)
    body, source = find_or_make(view, answer)
    if answer.question is not None and source != "bypass":
        fast_path.teach(request._request, answer.kind, answer.question)
    response = conditional.answer(request, body, conditional.etag_of(body))
    response["X-Cache"] = source
    return response
