"""The user data that authentication needs, stored next to the version of the user's answers."""

from django.db import DEFAULT_DB_ALIAS

from accounts.models import User
from fido.lib.cache import versioned_cache
from fido.lib.cache.versioned_cache import View


def remember(view: View, user: User) -> None:
    """Store it for an active user who was read after the lookup."""
    login = login_of(user.session_epoch.hex, is_staff=user.is_staff)
    versioned_cache.keep_login(view, login)


def login_of(epoch: str, *, is_staff: bool) -> str:
    return f"{epoch}:{int(is_staff)}"


def remembered(view: View | None, epoch: str | None) -> User | None:
    """The user without a database query; other columns are read when they are used.

    None if nothing is stored, or `epoch` is not the current one.
    """
    if view is None or view.login is None or view.writer_stands:
        return None
    present, _, is_staff = view.login.partition(":")
    if epoch != present:
        return None
    known = {"id": view.user_id, "is_active": True, "is_staff": is_staff == "1"}
    return User.from_db(DEFAULT_DB_ALIAS, list(known), list(known.values()))
