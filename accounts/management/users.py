"""What the commands share that check each user's rows."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from django.core.management.base import CommandError

from accounts.queries import unknown_users
from fido.lib.process.database import no_limits


def each_of(user_ids: list[int]) -> Iterator[list[int]]:
    """These users, one at a time.

    Raises:
        CommandError: a user does not exist.
    """
    if unknown := unknown_users(user_ids):
        raise CommandError(f"There is no user {', '.join(map(str, unknown))}.")
    for user_id in sorted(set(user_ids)):
        yield [user_id]


def time_to_read() -> AbstractContextManager[None]:
    """Lift the statement timeout of requests: here one statement reads whole histories."""
    return no_limits()
