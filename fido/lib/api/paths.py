"""Paths: how viewsets are routed, and ids that cannot exist, which are 404 before any query."""

from django.urls import register_converter
from rest_framework.routers import SimpleRouter

MAX_BIGINT = 2**63 - 1


class UserIdConverter:
    """A user's id: digits that fit the column."""

    regex = "[0-9]{1,19}"

    def to_python(self, value: str) -> int:
        """Raises ValueError, which Django takes for no match, beyond 64 bits."""
        if (number := int(value)) > MAX_BIGINT:
            raise ValueError("out of range")
        return number

    def to_url(self, value: int) -> str:
        return str(value)


class Router(SimpleRouter):
    """Canonical paths have no trailing slash, and take path converters."""

    def __init__(self) -> None:
        super().__init__(trailing_slash=False, use_regex_path=False)


def register() -> None:
    register_converter(UserIdConverter, "user_id")
