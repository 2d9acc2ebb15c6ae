"""What can go wrong, by kind. The domain raises these; only the API maps a kind to an HTTP status
(`fido.lib.api.problems`).
"""

from enum import Enum, auto
from typing import Any


class Kind(Enum):
    """The kind of a refusal."""

    INVALID = auto()  # the request makes no sense
    UNAUTHENTICATED = auto()  # the caller is unknown
    FORBIDDEN = auto()  # the caller is known, and may not
    NOT_FOUND = auto()
    CONFLICT = auto()  # the current state does not allow it
    CHANGED = auto()  # the record is no longer as the caller read it
    REUSED = auto()  # the key was used for another request
    TOO_LARGE = auto()
    TOO_MANY = auto()  # retry later
    UNAVAILABLE = auto()  # a dependency is away


class DomainError(Exception):
    """A request that the domain refuses. `code` is API: never rename one.

    `extra` holds further members of the answer, such as the id of the conflicting record.
    """

    code: str = "refused"
    title: str = "The request was refused."
    kind: Kind = Kind.CONFLICT
    # Seconds after which to retry, if that may help.
    wait: int | None = None

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.extra = extra


class NotFound(DomainError):
    code, title, kind = "not-found", "There is no such record.", Kind.NOT_FOUND


class PreconditionFailed(DomainError):
    """The record is no longer as the client has read it. Nothing was changed."""

    code, title = "precondition-failed", "The record has changed since it was read."
    kind = Kind.CHANGED


class InvalidInput(DomainError):
    """A value that only the domain can find wrong, such as a taken user name."""

    code, title, kind = "validation-error", "The request has errors.", Kind.INVALID

    def __init__(self, field: str, code: str, detail: str) -> None:
        super().__init__(errors=[{"pointer": f"#/{field}", "code": code, "detail": detail}])


class Overloaded(DomainError):
    """The service has too much to do at the moment, and has not begun with this."""

    code, title, kind = "overloaded", "The service is busy.", Kind.UNAVAILABLE
    wait = 2

    def __init__(self) -> None:
        super().__init__("It waited too long, and nothing was done; try again.")


class TooManyRequests(DomainError):
    """Over a rate limit. `wait` is in seconds."""

    code, title, kind = "throttled", "Too many requests.", Kind.TOO_MANY

    def __init__(self, wait: int) -> None:
        unit = "second" if wait == 1 else "seconds"
        super().__init__(f"Request was throttled. Expected available in {wait} {unit}.")
        self.wait = wait
