"""Kept answers, served before Django: docs/adr/0019-fast-path.md has the reasons.

The long way teaches this one. When Django has served a kept answer, this process remembers who the
token's user is, which question the request was, and which headers the response had. The next such
request costs one round trip to Redis and no Django. Nothing here decides what an answer is, or who
may read it: whatever is not exactly as it was takes the long way.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from structlog.contextvars import bound_contextvars

from fido.lib.api.conditional import etag_of, is_known
from fido.lib.api.middleware import about, log_and_count, request_id_of
from fido.lib.cache import versioned_cache
from fido.lib.cache.answers import count_answer
from fido.lib.cache.redis_link import link
from fido.lib.cache.versioned_cache import View
from fido.lib.values.memory import Memory

Headers = list[tuple[str, str]]
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]

# In the WSGI environment: what the long way has found out, and what was looked up for it.
CALLER, LESSON, VIEW = "fido.caller", "fido.lesson", "fido.view"
# Each entry takes about a kilobyte.
MAX_TOKENS, MAX_REQUESTS = 4_000, 8_000
# What differs from one response to the next.
OWN_HEADERS = {"etag", "x-cache", "x-request-id", "content-length"}


@dataclass(frozen=True)
class Caller:
    """Whom a verified token or key names. `login` is what the cache holds while it counts.

    `rights` tells callers apart who are the same user and may read different things.
    """

    user_id: int
    login: str
    expires_at: float
    rights: str = ""


@dataclass
class Lesson:
    """What the long way knows of a request: its question, and how it is logged and counted.

    `headers` are those of a response, by its status.
    """

    kind: str
    question: str
    path: str
    route: str
    headers: dict[int, Headers] = field(default_factory=dict)


class FastPath:
    """Wraps Django's WSGI application."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application
        self._callers = Memory[str, Caller](MAX_TOKENS)
        self._lessons = Memory[tuple[Any, ...], Lesson](MAX_REQUESTS)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        token, request = environ.get("HTTP_AUTHORIZATION", ""), _request(environ)
        if request is None or not _is_on():
            return self._application(environ, start_response)
        caller = self._callers.get(token)
        lesson = caller and self._lessons.get((caller.user_id, caller.rights, *request))
        if caller and lesson and caller.expires_at > time.time():
            answer = _answer(environ, caller, lesson)
            if answer is not None:
                start_response(*answer[:2])
                return answer[2]
        return self._application(environ, self._learning(environ, token, request, start_response))

    def _learning(
        self, environ: dict[str, Any], token: str, request: tuple[Any, ...], start_response: Any
    ) -> Any:
        """`start_response`, which also remembers what Django has found out."""

        def start(status: str, headers: Headers, *more: Any) -> Any:
            caller, lesson = environ.get(CALLER), environ.get(LESSON)
            if caller and lesson and not _sets_cookie(headers):
                key = (caller.user_id, caller.rights, *request)
                known = self._lessons.get(key)
                if known and known.question == lesson.question:
                    lesson = known
                lesson.headers[int(status[:3])] = _without_own(headers)
                self._callers.put(token, caller)
                self._lessons.put(key, lesson)
            return start_response(status, headers, *more)

        return start


def introduce(request: HttpRequest, caller: Caller) -> None:
    """Authentication has verified the token of a user whose answers are kept: of no staff."""
    request.environ[CALLER] = caller  # type: ignore[attr-defined]


def teach(request: HttpRequest, kind: str, question: str) -> None:
    """The request's answer was found or kept under this question."""
    match = request.resolver_match
    lesson = Lesson(kind, question, request.path, match.route if match else "none")
    request.environ[LESSON] = lesson  # type: ignore[attr-defined]


def looked_up(request: HttpRequest, user_id: int) -> View | None:
    """What was looked up of the user before Django, so that nobody asks twice."""
    view: View | None = getattr(request, "environ", {}).get(VIEW)
    return view if view and view.user_id == user_id else None


def _is_on() -> bool:
    # A rate of requests is counted by the long way alone.
    return settings.FAST_PATH and settings.REQUESTS_PER_USER is None


def _request(environ: dict[str, Any]) -> tuple[Any, ...] | None:
    """Everything in a request that the long way's response may depend on, but for the token.

    None: it may depend on more.
    """
    if environ["REQUEST_METHOD"] != "GET" or not environ["PATH_INFO"].startswith("/api/v1/"):
        return None
    if environ.get("HTTP_COOKIE") or environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    if environ.get("CONTENT_LENGTH") not in {None, "", "0"}:
        return None
    proto = environ.get("HTTP_X_FORWARDED_PROTO")
    return (
        environ.get("HTTP_HOST"),
        environ.get("SCRIPT_NAME"),
        environ["wsgi.url_scheme"],
        proto and (proto, environ.get("REMOTE_ADDR")),
        environ["PATH_INFO"],
        environ.get("QUERY_STRING"),
        environ.get("HTTP_ACCEPT"),
    )


def _answer(
    environ: dict[str, Any], caller: Caller, lesson: Lesson
) -> tuple[str, Headers, list[bytes]] | None:
    """Status, headers and body; None: the long way has to be taken."""
    link.keep_generation()
    started = time.perf_counter()
    view = environ[VIEW] = versioned_cache.look(caller.user_id, lesson.question)
    if view is None or view.login != caller.login:
        return None
    body = view.opened(view.kept)
    if body is None:
        return None
    etag = etag_of(body)
    status = 304 if is_known(environ.get("HTTP_IF_NONE_MATCH", ""), etag) else 200
    headers = lesson.headers.get(status)
    if headers is None:
        return None
    if status == 304:
        body = b""
    request_id = request_id_of(environ)
    own = [("ETag", etag), ("X-Cache", "hit"), ("X-Request-ID", request_id)]
    with bound_contextvars(**about(environ, request_id, caller.user_id)):
        count_answer(lesson.kind, "hit")
        log_and_count("GET", lesson.path, lesson.route, status, time.perf_counter() - started)
    return STATUS[status], [*headers, *own, ("Content-Length", str(len(body)))], [body]


STATUS = {200: "200 OK", 304: "304 Not Modified"}


def _without_own(headers: Headers) -> Headers:
    return [each for each in headers if each[0].lower() not in OWN_HEADERS]


def _sets_cookie(headers: Headers) -> bool:
    return any(name.lower() == "set-cookie" for name, _ in headers)
