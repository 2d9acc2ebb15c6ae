"""Paths: how viewsets are routed. An id that cannot exist is a 404 before any query."""

from django.urls import register_converter
from rest_framework.routers import SimpleRouter

from fido.lib.api.schema import path_parameter

MAX_BIGINT = 2**63 - 1
# How the OpenAPI document describes them.
USER_ID = path_parameter(
    {"type": "integer", "minimum": 1, "maximum": MAX_BIGINT}, 1, "The id of a user."
)
USER_ID_OR_ME = path_parameter(
    {"type": "string", "pattern": "^(me|[0-9]{1,19})$"}, "me", "The id of a user, or `me`."
)


class UserIdConverter:
    """A user's id: digits that fit the column."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """Raise ValueError beyond 64 bits; Django then treats the path as no match."""
        if (number := int(value)) > MAX_BIGINT:
            raise ValueError("out of range")
        return number

    def to_url(self, value: int) -> str:
        return str(value)


class Router(SimpleRouter):
    """Canonical paths have no trailing slash, and use path converters."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=False, use_regex_path=False)


def register() -> None:
    register_converter(UserIdConverter, "user_id")
