"""Conditional requests (RFC 9110, section 13).

What a client has it need not read again, and what it has not seen it does not overwrite.
"""

import hashlib
from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.utils.http import parse_etags
from rest_framework.request import Request

from fido.lib.values.errors import PreconditionFailed
from fido.lib.values.strict_json import json_bytes


def etag_of(body: bytes, version: int | None = None) -> str:
    """A strong tag of what one viewer sees: names that are masked make it another one.

    `version` is that of the row: two edits that end where they began are still two.
    """
    seen = body if version is None else b"%d:%b" % (version, body)
    return f'"{hashlib.sha256(seen).hexdigest()[:32]}"'


def answer(request: Request, body: bytes, etag: str) -> HttpResponse:
    """200 with the body, or 304 where `If-None-Match` says that the client has it."""
    if is_known(request.headers.get("If-None-Match", ""), etag):
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    # No browser and no proxy keeps a copy that it does not ask about each time.
    response["Cache-Control"] = "private, no-cache"
    return response


def is_known(if_none_match: str, etag: str) -> bool:
    offered = parse_etags(if_none_match)
    return etag in offered or f"W/{etag}" in offered or "*" in offered


def json_answer(data: Any, status: int = 200, **headers: str) -> HttpResponse:
    """An answer that is no DRF Response: its bytes are there already, to be kept or replayed."""
    body = json_bytes(data)
    return HttpResponse(body, status=status, headers=headers, content_type="application/json")


def only_if_unchanged(request: Request, present_etag: Callable[[], str]) -> bool:
    """Whether `If-Match` binds the write to the state that was just read.

    It does where one of its tags is the present one; the write is then to be a compare-and-set
    on that state. Without the header, and with `*`, whatever state there is may be written to.
    To be asked last, when nothing else is in the way of the write.

    Raises:
        PreconditionFailed: it names other states only, or weak tags, or what is no tag.
    """
    header = request.headers.get("If-Match")
    if header is None or header.strip() == "*":
        return False
    if present_etag() not in parse_etags(header):
        raise PreconditionFailed()
    return True
