"""Conditional requests (RFC 9110, section 13).

A client does not read again what it already has. That it does not overwrite what it has not seen is
in `viewsets.BoundWrites`.
"""

import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils.http import parse_etags
from rest_framework.request import Request

from fido.lib.values.strict_json import json_bytes


def etag_of(body: bytes, version: int | None = None) -> str:
    """A strong tag of what one viewer sees: with masked names the tag differs.

    `version` is the row's: an edit and its reversal still change the tag.
    """
    seen = body if version is None else b"%d:%b" % (version, body)
    return f'"{hashlib.sha256(seen).hexdigest()[:32]}"'


def answer(request: Request, body: bytes, etag: str) -> HttpResponse:
    """200 with the body, or 304 if `If-None-Match` says that the client has it."""
    if is_known(request.headers.get("If-None-Match", ""), etag):
        response = HttpResponse(status=304)
    else:
        response = HttpResponse(body, content_type="application/json")
    response["ETag"] = etag
    # Browsers revalidate their copy each time; proxies keep none.
    response["Cache-Control"] = "private, no-cache"
    return response


def is_known(if_none_match: str, etag: str) -> bool:
    offered = parse_etags(if_none_match)
    return etag in offered or f"W/{etag}" in offered or "*" in offered


def json_answer(data: Any, status: int = 200, **headers: str) -> HttpResponse:
    """An answer that is no DRF Response: its bytes are there already, to be kept or replayed."""
    body = json_bytes(data)
    return HttpResponse(body, status=status, headers=headers, content_type="application/json")
