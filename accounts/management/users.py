"""What the commands share that take users, or check each user's rows."""

from collections.abc import Iterator

from django.core.management.base import CommandError

from accounts.queries import unknown_users


def known(user_ids: list[int]) -> list[int]:
    """These users in order, each once.

    Raises:
        CommandError: a user does not exist.
    """
    if unknown := unknown_users(user_ids):
        raise CommandError(f"There is no user {', '.join(map(str, unknown))}.")
    return sorted(set(user_ids))


def each_of(user_ids: list[int]) -> Iterator[list[int]]:
    """These users, one at a time. Raises as `known` does."""
    for user_id in known(user_ids):
        yield [user_id]
