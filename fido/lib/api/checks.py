"""System checks of the API's routes: what a new route must have."""

from collections.abc import Iterator
from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.urls import URLPattern, URLResolver, get_resolver

from fido.lib.api.scopes import RESOURCES

API = "api/v1/"


@register("urls")
def check_routes(**kwargs: Any) -> list[CheckMessage]:
    """Every API route belongs to a viewset, which says what a key needs there; and every POST
    declares how it handles a repeat.
    """
    routes = [route for route in _routes(get_resolver().url_patterns) if route[0].startswith(API)]
    return [error for path, view in routes for error in _errors(path, view)]


def _routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for each in patterns:
        path = prefix + str(each.pattern)
        if isinstance(each, URLResolver):
            yield from _routes(each.url_patterns, path)
        elif isinstance(each, URLPattern):
            yield path, each.callback


def _errors(path: str, view: Any) -> Iterator[CheckMessage]:
    actions: dict[str, str] | None = getattr(view, "actions", None)
    if actions is None:
        yield Error(
            f"/{path} does not belong to a viewset: register one with a Router.", id="fido.E001"
        )
        return
    if (name := actions.get("post")) and not _is_told(getattr(view.cls, name)):
        hint = "Decorate it with @idempotent, or with @without_key and the reason."
        yield Error(f"POST /{path} may do its work twice.", hint=hint, id="fido.E002")
    if view.cls.authentication_classes and not _has_resource(view.cls):
        hint = "Set `resource` to one of fido.lib.api.scopes.RESOURCES, or to None."
        yield Error(f"/{path} does not say which scope a key needs.", hint=hint, id="fido.E003")


def _is_told(action: Any) -> bool:
    return hasattr(action, "takes_key") or hasattr(action, "takes_no_key")


def _has_resource(viewset: Any) -> bool:
    return getattr(viewset, "resource", "") in {*RESOURCES, None}
