"""What can go wrong, by kind. The domain raises these; which HTTP status a kind is, only the API
knows (`fido.lib.api.problems`).
"""

from enum import Enum, auto
from typing import Any


class Kind(Enum):
    """In which way a request was refused."""

    INVALID = auto()  # what was asked for makes no sense
    UNAUTHENTICATED = auto()  # who asks is not known
    NOT_FOUND = auto()
    CONFLICT = auto()  # the present state does not allow it
    CHANGED = auto()  # the record is no longer as the caller read it
    REUSED = auto()  # the key of another request
    TOO_LARGE = auto()
    TOO_MANY = auto()  # again later
    UNAVAILABLE = auto()  # something that it needs is away


class DomainError(Exception):
    """Something that the domain refuses. `code` is API: never rename one.

    `extra` are further members of the answer, such as the id of the record that is in the way.
    """

    code: str = "refused"
    title: str = "The request was refused."
    kind: Kind = Kind.CONFLICT
    # Seconds after which to try again, where that may help.
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
    """A value that only the domain can tell to be wrong, such as a user name that is taken."""

    code, title, kind = "validation-error", "The request has errors.", Kind.INVALID

    def __init__(self, field: str, code: str, detail: str) -> None:
        super().__init__(errors=[{"pointer": f"#/{field}", "code": code, "detail": detail}])


class TooManyRequests(DomainError):
    """Over a rate. `wait` is in seconds."""

    code, title, kind = "throttled", "Too many requests.", Kind.TOO_MANY

    def __init__(self, wait: int) -> None:
        unit = "second" if wait == 1 else "seconds"
        super().__init__(f"Request was throttled. Expected available in {wait} {unit}.")
        self.wait = wait
