"""Queries about users that span rows."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from accounts.models import User
from fido.lib.process.prepared import repeated
from fido.lib.values.crypto.fields import encrypted

USERS_IN_A_BATCH = 500


# What most requests need of their caller, in the order of the model's fields.
CALLER = """\
SELECT id, is_superuser, full_name, full_name_index, currency, is_active, is_staff, session_epoch,
    key_epoch
FROM accounts_user WHERE id = %s"""


def caller(user_id: int) -> User | None:
    """The user with these columns; others are read when they are used.

    Not by the ORM, which would take eight times as long, for each write.
    """
    with repeated() as cursor:
        cursor.execute(CALLER, [user_id])
        row, columns = cursor.fetchone(), [column.name for column in cursor.description]
    if row is None:
        return None
    id_, is_superuser, token, *values = row
    name = encrypted(User, "full_name").from_db_value(token)
    return User.from_db(connection.alias, columns, [id_, is_superuser, name, *values])


def user_by_login(name: str) -> User | None:
    """The user with this user name or e-mail address, case-insensitive."""
    return User.objects.get_queryset().with_login_name(name).first()


def username_taken(username: str) -> bool:
    return User.objects.get_queryset().with_username(username).exists()


def email_taken(email: str, *, except_user_id: int | None = None) -> bool:
    """Whether another user has this address."""
    others = User.objects.get_queryset().with_email(email)
    return others.exclude(pk=except_user_id or 0).exists()


def unknown_users(user_ids: list[int]) -> list[int]:
    """Those ids that belong to no user, in order."""
    known = User.objects.filter(pk__in=user_ids).values_list("pk", flat=True)
    return sorted(set(user_ids) - set(known))


def user_ids_in_batches() -> Iterator[list[int]]:
    """The ids of all users in order, in batches."""
    last = 0
    ids = User.objects.order_by("pk").values_list("pk", flat=True)
    while batch := list(ids.filter(pk__gt=last)[:USERS_IN_A_BATCH]):
        yield batch
        last = batch[-1]


def user_ids_of(rows: QuerySet[Any], at_once: int) -> Iterator[list[int]]:
    """The ids of the users who have any of these rows, in order, in batches.

    Each user is there once, whatever is written meanwhile.
    """
    ids = rows.order_by("user_id").values_list("user_id", flat=True).distinct()
    batch = list(ids[:at_once])
    while batch:
        yield batch
        full = len(batch) == at_once
        batch = list(ids.filter(user_id__gt=batch[-1])[:at_once]) if full else []
