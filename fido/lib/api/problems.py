"""Turns refusals into RFC 9457 problem details; nothing else does.

The domain raises a DomainError of some kind; only this module knows its status.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import connections
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views import defaults
from rest_framework import exceptions, status
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from fido.lib.process.database import is_busy, is_database_away
from fido.lib.process.database_errors import report
from fido.lib.values.errors import DomainError, Kind, Overloaded

MEDIA_TYPE = "application/problem+json"

Json = dict[str, Any]
# More than anybody reads. Even a small body can hold a hundred thousand unknown fields.
MAX_ERRORS = 100


STATUS = {
    Kind.INVALID: status.HTTP_400_BAD_REQUEST,
    Kind.UNAUTHENTICATED: status.HTTP_401_UNAUTHORIZED,
    Kind.FORBIDDEN: status.HTTP_403_FORBIDDEN,
    Kind.NOT_FOUND: status.HTTP_404_NOT_FOUND,
    Kind.CONFLICT: status.HTTP_409_CONFLICT,
    Kind.CHANGED: status.HTTP_412_PRECONDITION_FAILED,
    Kind.TOO_LARGE: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    Kind.REUSED: status.HTTP_422_UNPROCESSABLE_ENTITY,
    Kind.TOO_MANY: status.HTTP_429_TOO_MANY_REQUESTS,
    Kind.UNAVAILABLE: status.HTTP_503_SERVICE_UNAVAILABLE,
}


class BodyTooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "body-too-large"
    default_detail = "The body is larger than this route takes."

    def __init__(self, max_bytes: int | None = None) -> None:
        super().__init__(f"This route takes at most {max_bytes:,} bytes." if max_bytes else None)


class QueryInvalid(exceptions.ValidationError):
    """A ValidationError about the query string: its errors have parameters, not pointers."""


TITLES = {
    400: "The request has errors.",
    401: "Log in first.",
    403: "This is not allowed.",
    404: "There is no such record.",
    405: "This route does not take this method.",
    406: "The requested format is not available.",
    413: "The body is too large.",
    415: "This media type is not supported.",
    429: "Too many requests.",
    500: "Something went wrong on our side.",
    503: "The service is temporarily unavailable.",
}
AWAY = ("database-unavailable", "The database did not answer.")
BUSY = ("busy", "Another transaction was in the way, and this one was rolled back.")
# This API's names for DRF's codes.
CODES = {
    "invalid": "validation-error",
    "parse_error": "malformed-body",
    "authentication_failed": "invalid-token",
    "token_not_valid": "invalid-token",
}


def exception_handler(error: Exception, context: dict[str, Any]) -> JsonResponse | None:
    """DRF's EXCEPTION_HANDLER. None makes a bug a 500, with its traceback in the log."""
    request = context["request"]
    if isinstance(error, DomainError):
        return _answer_to(error, request.path)
    if is_database_away(error):
        return unavailable(request, error)
    if isinstance(error, RequestDataTooBig):
        error = BodyTooLarge(settings.MAX_BODY_BYTES)
    elif isinstance(error, Http404):
        error = exceptions.NotFound()
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    return _api_error(error, request) if isinstance(error, exceptions.APIException) else None


def _answer_to(error: DomainError, path: str) -> JsonResponse:
    body = problem(status_of(error), error.code, error.detail, path, title=error.title)
    return _answer(body | error.extra, _headers(error))


def status_of(error: DomainError) -> int:
    return STATUS[error.kind]


def problem(status: int, code: str, detail: str, path: str, title: str | None = None) -> Json:
    return {
        "type": f"urn:fido:problem:{code}",
        "title": title or TITLES.get(status, "The request was refused."),
        "status": status,
        "detail": detail,
        # Without the query string, which may hold a name.
        "instance": path,
        "code": code,
    }


def part(error: DomainError | exceptions.APIException, place: str) -> Json:
    """The refusal of one part of a body: `status`, `code`, and details of the reason.

    `place` is where the part is in the body: the pointers in `errors` begin with it.
    """
    if isinstance(error, exceptions.ValidationError):
        return {"status": 400, "code": "validation-error", "errors": list(_errors(error, place))}
    if isinstance(error, exceptions.APIException):
        return {"status": error.status_code, "code": _code(error)}
    extra = dict(error.extra)
    if "errors" in extra:
        extra["errors"] = [each | {"pointer": _within(place, each)} for each in extra["errors"]]
    return {"status": status_of(error), "code": error.code} | extra


def _within(place: str, error: Json) -> str:
    return "#/" + place + str(error["pointer"]).removeprefix("#")


def unavailable(request: HttpRequest | Request, error: Exception) -> JsonResponse:
    """503, with the time to wait before a retry."""
    code, detail = BUSY if is_busy(error) else AWAY
    report(error)
    _drop_broken_connections()
    body = problem(503, code, f"{detail} Try again.", request.path)
    return _answer(body, {"Retry-After": "2"})


def overloaded(request: HttpRequest) -> JsonResponse:
    """503, before any work was done for the request."""
    return _answer_to(Overloaded(), request.path)


def body_too_large(request: HttpRequest) -> HttpResponse:
    error = BodyTooLarge(settings.MAX_BODY_BYTES)
    return plain_problem(request, 413, error.default_code, str(error.detail))


def _api_error(error: exceptions.APIException, request: HttpRequest | Request) -> JsonResponse:
    if isinstance(error, exceptions.ValidationError):
        body = problem(400, "validation-error", _of_errors(request), request.path)
        body["errors"] = list(_errors(error))
    else:
        code = _code(error)
        body = problem(error.status_code, code, _detail(error), request.path)
    return _answer(body, _headers(error))


def _of_errors(request: HttpRequest | Request) -> str:
    unchanged = "" if request.method in SAFE_METHODS else "Nothing was changed; "
    return f"{unchanged}see `errors`.".capitalize()


def _code(error: exceptions.APIException) -> str:
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    return CODES.get(code, _kebab(code))


def _kebab(code: str) -> str:
    """A DRF code such as `max_length` as this API writes it: `max-length`."""
    return code.replace("_", "-")


def _detail(error: exceptions.APIException) -> str:
    # simplejwt puts a dict here, with its own messages inside.
    return error.detail if isinstance(error.detail, str) else str(error.default_detail)


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(max(1, int(wait)))
    return headers


def _errors(error: exceptions.ValidationError, *place: str) -> Iterator[Json]:
    in_query = isinstance(error, QueryInvalid)
    for path, detail in islice(_leaves(error.get_full_details(), place), MAX_ERRORS):
        where = {"parameter": path[0]} if in_query and path else {"pointer": _pointer(path)}
        yield where | {"code": _kebab(detail["code"]), "detail": detail["message"]}


def _leaves(details: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Walks DRF's nested errors. A leaf is `{"message", "code"}`."""
    if isinstance(details, list):
        for item in details:
            yield from _leaves(item, path)
    elif set(details) == {"message", "code"} and isinstance(details["code"], str):
        yield path, details
    else:
        for key, value in details.items():
            inner = path if key == "non_field_errors" else (*path, str(key))
            yield from _leaves(value, inner)


def _pointer(path: tuple[str, ...]) -> str:
    """An RFC 6901 pointer as a URI fragment. A client's key may hold a lone surrogate, which cannot
    be encoded and is replaced.
    """
    parts = (part.replace("~", "~0").replace("/", "~1") for part in path)
    pointer = "#" + "".join(f"/{part}" for part in parts)
    return pointer.encode("utf-8", "replace").decode()


def _answer(body: Json, headers: dict[str, str] | None = None) -> JsonResponse:
    # Not DRF's Response: a view that renders YAML or HTML would render its problems so, too.
    answer = JsonResponse(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)
    if body["status"] == status.HTTP_401_UNAUTHORIZED:
        answer.headers.setdefault("WWW-Authenticate", "Bearer")  # RFC 9110 requires one
    return answer


def _drop_broken_connections() -> None:
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def plain_problem(
    request: HttpRequest, status: int, code: str, detail: str, title: str | None = None
) -> HttpResponse:
    """A problem outside DRF: an unknown path, a bug, a request that Django itself refuses."""
    body = problem(status, code, detail, request.path, title)
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if not request.path.startswith("/api/"):
        return defaults.page_not_found(request, exception)
    detail = f"See {reverse('docs')} for what there is."
    return plain_problem(request, 404, "not-found", detail, "There is nothing at this path.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """For Django's SuspiciousOperation: an unknown host, too many fields."""
    return plain_problem(request, 400, "bad-request", "The request could not be understood.")


def server_error(request: HttpRequest) -> HttpResponse:
    return plain_problem(request, 500, "internal-error", "The error was logged.")
