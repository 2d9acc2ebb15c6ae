"""URL converters: an id that cannot exist is a 404 before any query."""

from django.urls import register_converter

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


def register() -> None:
    register_converter(UserIdConverter, "user_id")
