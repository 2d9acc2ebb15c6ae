"""The user data that authentication needs, stored next to the version of the user's answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from django.db import DEFAULT_DB_ALIAS

from accounts import queries
from accounts.models import User
from fido.lib.cache import versioned_cache
from fido.lib.cache.versioned_cache import View


class Login(NamedTuple):
    """What an active user's tokens and keys are compared with."""

    epoch: str
    key_epoch: str
    is_staff: bool

    @classmethod
    def of(cls, user: User) -> Login:
        key_epoch = user.key_epoch.hex if user.key_epoch else ""
        return cls(user.session_epoch.hex, key_epoch, user.is_staff)

    @property
    def text(self) -> str:
        return f"{self.epoch}/{self.key_epoch}:{int(self.is_staff)}"

    def user(self, user_id: int) -> User:
        """The user without a database query; other columns are read when they are used."""
        known = {"id": user_id, "is_active": True, "is_staff": self.is_staff}
        return User.from_db(DEFAULT_DB_ALIAS, list(known), list(known.values()))


def present(
    view: View | None, user_id: int, counts: Callable[[Login], bool]
) -> tuple[User, Login] | None:
    """The active user and the login: as stored, if that one `counts`; otherwise as the database
    has them. None: there is no such user, or the user is inactive.
    """
    login = _remembered(view)
    if login and counts(login):
        return login.user(user_id), login
    user = queries.caller(user_id)
    if user is None or not user.is_active:
        return None
    if view:
        remember(view, user)
    return user, Login.of(user)


def remember(view: View, user: User) -> None:
    """Store it for an active user who was read after the lookup."""
    versioned_cache.keep_login(view, Login.of(user).text)


def _remembered(view: View | None) -> Login | None:
    if view is None or view.login is None or view.writer_stands:
        return None
    epochs, _, is_staff = view.login.partition(":")
    epoch, knows_keys, key_epoch = epochs.partition("/")
    # The release before stored no epoch of the keys: it would say that none was ever revoked.
    return Login(epoch, key_epoch, is_staff == "1") if knows_keys else None
