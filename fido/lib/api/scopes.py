"""What a key for a machine may do: read or write one of the API's resources.

A viewset states its `resource` once. Safe methods read and all others write, and the right to write
does not include the right to read. A scope never gives more than the user's own rights: those are
checked as for every request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rest_framework.permissions import SAFE_METHODS

from fido.lib.values.errors import DomainError, Kind

RESOURCES = (
    "alerts",
    "analytics",
    "events",
    "imports",
    "rates",
    "transactions",
    "users",
    "wallets",
)
SCOPES = tuple(f"{resource}:{verb}" for resource in RESOURCES for verb in ("read", "write"))


@dataclass(frozen=True)
class Grant:
    """What authentication found out about a key. A login has no grant, and no limit."""

    scopes: frozenset[str]


class ScopeMissing(DomainError):
    code, title, kind = "scope-missing", "This key has too few scopes.", Kind.FORBIDDEN

    def __init__(self, scope: str) -> None:
        super().__init__(f"It needs the scope {scope}.", scope=scope)


class LoginNeeded(DomainError):
    code, title, kind = "login-needed", "No key may do this: log in.", Kind.FORBIDDEN


def logins_only(action: Callable[..., Any]) -> Callable[..., Any]:
    """Mark an action that no key may call, whatever its scopes."""
    action.takes_no_grant = True  # type: ignore[attr-defined]
    return action


def require(view: Any, grant: object) -> None:
    """Check the scopes of the request's key, if it has one.

    Raises:
        LoginNeeded: no key may do this.
        ScopeMissing: the key may not.
    """
    if not isinstance(grant, Grant):
        return
    scope = needed(view, view.request.method)
    if scope is None:
        raise LoginNeeded()
    if scope not in grant.scopes:
        raise ScopeMissing(scope)


def needed(view: Any, method: str) -> str | None:
    """The scope with which a key may do this; None: no key may."""
    action = getattr(view, view.action or "", None)
    if view.resource is None or hasattr(action, "takes_no_grant"):
        return None
    return f"{view.resource}:{'read' if method in SAFE_METHODS else 'write'}"


def describe(view: Any, method: str, answers: dict[str, Any]) -> None:
    """Add to the answers of the OpenAPI schema which scope a key needs."""
    scope = needed(view, method)
    said = f"A key needs the scope `{scope}`." if scope else "No key may do this."
    before = answers.get("403", {}).get("description", "")
    answers["403"] = {"description": f"{before} {said}".strip()}
