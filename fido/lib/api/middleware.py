"""Gives every request an id, which is in its log lines and in the answer."""

import logging
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import Resolver404, resolve
from django.utils.cache import patch_vary_headers
from gunicorn.http.errors import ParseException
from structlog.contextvars import bound_contextvars

from fido.lib.api.client_address import client_address, is_trusted_proxy
from fido.lib.api.problems import body_too_large, overloaded, unavailable
from fido.lib.cache.redis_link import link
from fido.lib.process.database import is_database_away
from fido.lib.process.signals import WAITED, served
from fido.lib.values.errors import Overloaded
from fido.lib.values.ids import new_id
from fido.lib.values.metrics import OVERLOADED, REQUEST_SECONDS

logger = structlog.get_logger("fido.request")
# Requested every few seconds, and of no interest when they pass.
PROBES = ("/livez", "/readyz", "/metrics")
METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
_SANE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class Request(WSGIRequest):
    """Django's request, without two faults that happen before any view runs.

    Django takes the encoding of the query string from the body's Content-Type, and fails on an
    encoding such as base64; here everything is UTF-8. Django treats a chunked body as empty.
    """

    def __init__(self, environ: dict[str, Any]) -> None:
        chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
        # The server promises that reads end after the last chunk.
        if chunked and environ.get("wsgi.input_terminated") and not environ.get("CONTENT_LENGTH"):
            environ["CONTENT_LENGTH"] = str(sys.maxsize)
        super().__init__(environ)

    def read(self, *args: Any, **kwargs: Any) -> bytes:
        try:
            return super().read(*args, **kwargs)
        except ParseException as error:  # malformed chunks
            raise UnreadablePostError(*error.args) from error

    def _load_post_and_files(self) -> None:
        try:
            super()._load_post_and_files()
        except (LookupError, ValueError) as error:  # a boundary in an unknown encoding
            raise MultiPartParserError("The form cannot be read.") from error

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        self.content_type = meta.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        self.content_params = {}


class RequestMiddleware:
    """Request id, canonical path, and for each answer a log line and its time in the metrics.

    We do not use django-structlog's middleware, because it logs the query string, and
    `?full_name=` is a name in clear.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        link.keep_generation()
        request_id = request_id_of(request.META)
        _drop_trailing_slash(request)
        _drop_unproven_scheme(request)
        _drop_malformed_session(request)
        started = time.perf_counter()
        with bound_contextvars(**about(request.META, request_id)):
            response = _too_late(request) or _too_large(request) or self.get_response(request)
            seconds = time.perf_counter() - started
            route = request.resolver_match.route if request.resolver_match else "none"
            log_and_count(request.method, request.path, route, response.status_code, seconds)
        response.headers["X-Request-ID"] = request_id
        if request.path_info.startswith("/api/"):
            _keep_private(response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """503 outside the API; inside it, DRF has already answered."""
        if isinstance(error, Overloaded):
            return overloaded(request)
        return unavailable(request, error) if is_database_away(error) else None


def about(environ: Mapping[str, Any], request_id: str, actor: int | None = None) -> dict[str, Any]:
    """What each log line of a request tells, and the access log: also who asks, once it is known.

    `actor` is a user's id.
    """
    return {"request_id": request_id, "address": client_address(environ), "actor": actor}


def log_and_count(method: str | None, path: str, route: str, status: int, seconds: float) -> None:
    """One line in the log, one observation in the metrics, and a signal."""
    # The route's pattern, not its path, and only known methods: each new label value costs memory.
    known = method if method in METHODS else "other"
    REQUEST_SECONDS.labels(known, route, status).observe(seconds)
    served.send(sender=None, method=known, route=route, status=status)
    logger.log(
        logging.DEBUG if path in PROBES else logging.INFO,
        "request",
        method=method,
        path=path,
        status=status,
        milliseconds=round(seconds * 1000, 1),
    )


def _keep_private(response: HttpResponse) -> None:
    """Nobody else gets an answer of the API out of a cache: most depend on who asks."""
    patch_vary_headers(response, ["Authorization"])
    if "ETag" not in response.headers:
        response.headers.setdefault("Cache-Control", "no-store")


def _too_late(request: HttpRequest) -> HttpResponse | None:
    """Refuse what waited so long that its client may have left: others still wait."""
    if request.META.get(WAITED, 0.0) <= settings.QUEUE_SECONDS or request.path in PROBES:
        return None
    OVERLOADED.labels("thread").inc()
    return overloaded(request)


def _too_large(request: HttpRequest) -> HttpResponse | None:
    # Outside the API only, because Django reads a form before any view. The API's parsers check
    # sizes themselves.
    length = request.META.get("CONTENT_LENGTH") or "0"
    if request.path.startswith("/api/") or not length.isdigit():
        return None
    if int(length) <= settings.MAX_BODY_BYTES or _streams_its_body(request):
        return None
    return body_too_large(request)


def _streams_its_body(request: HttpRequest) -> bool:
    """Whether fido.lib.api.uploads has marked the view so."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    return getattr(view, "streams_its_body", False)


def request_id_of(environ: dict[str, Any]) -> str:
    """The client's own, if it is sane."""
    offered = environ.get("HTTP_X_REQUEST_ID", "")
    return offered if _SANE.fullmatch(offered) else str(new_id())


def _drop_trailing_slash(request: HttpRequest) -> None:
    # Served rather than redirected: a redirect loses a POST's body.
    if request.path_info.startswith("/api/") and request.path_info.endswith("/"):
        request.path_info = request.path_info[:-1]
        request.path = request.path[:-1]


def _drop_unproven_scheme(request: HttpRequest) -> None:
    # Only our own proxies may say that it was HTTPS, not a client that bypasses them.
    if "HTTP_X_FORWARDED_PROTO" in request.META and not is_trusted_proxy(
        request.META.get("REMOTE_ADDR", "")
    ):
        del request.META["HTTP_X_FORWARDED_PROTO"]


def _drop_malformed_session(request: HttpRequest) -> None:
    # Django looks up any value of the cookie, and PostgreSQL refuses a NUL.
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if key is not None and not (key.isascii() and key.isalnum()):
        del request.COOKIES[settings.SESSION_COOKIE_NAME]
