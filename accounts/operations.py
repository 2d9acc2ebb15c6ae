"""Everything that changes accounts. HTTP is not known here."""

import uuid
from functools import cache
from typing import Any, Literal

from django.contrib.auth import password_validation
from django.contrib.auth.hashers import check_password, make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from accounts import queries, tokens
from accounts.models import AccessLogEntry, LoginSession, User
from accounts.tokens import TokenPair
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock
from fido.lib.values.crypto.fields import blind_index
from fido.lib.values.errors import DomainError, InvalidInput, Kind, PreconditionFailed

# What a profile shows and what may change of it.
PROFILE = ("email", "full_name", "currency", "is_active")


class WrongCredentials(DomainError):
    """One answer for wrong, unknown and inactive: which it was is nobody's business."""

    code, title, kind = (
        "invalid-credentials",
        "User name or password is wrong.",
        Kind.UNAUTHENTICATED,
    )


class SessionEnded(DomainError):
    code, title, kind = "invalid-token", "This session has ended.", Kind.UNAUTHENTICATED


class InvalidRefreshToken(DomainError):
    code, title, kind = "invalid-token", "This refresh token is not valid.", Kind.UNAUTHENTICATED


class Taken(InvalidInput):
    """Somebody has this user name or e-mail address."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(field, "taken", detail)


def register(*, username: str, email: str, password: str, full_name: str | None = None) -> User:
    """Creates a user who can log in.

    Raises:
        Taken: the user name or the e-mail address is.
        InvalidInput: the password is weak.
    """
    user = User(username=username, email=email, full_name=full_name)
    _require_free(username=username, email=email)
    _require_strong(password, user, field="password")
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        # Somebody took it since we looked. If not, it is a bug and must be seen.
        _require_free(username=username, email=email)
        raise
    return user


def create_customer(*, full_name: str, currency: str) -> User:
    """Creates somebody who cannot log in: without an address, and under a user name of ours."""
    user = User(username=f"customer-{uuid.uuid4().hex}", full_name=full_name, currency=currency)
    user.set_unusable_password()
    user.save(force_insert=True)
    return user


def log_in(*, name: str, password: str) -> TokenPair:
    """Starts a session for a user name or an e-mail address.

    Raises:
        WrongCredentials: in each case after the same work, so that time tells nothing either.
    """
    user = queries.user_by_login(name)
    matches = check_password(password, user.password if user else nobodys_password())
    if user is None or not matches or not user.is_active:
        raise WrongCredentials()
    session = LoginSession(user=user, token_id=uuid.uuid4().hex, expires_at=tokens.refresh_expiry())
    with transaction.atomic():
        # A write on condition: a password change or deactivation either waits, and then ends this
        # session too, or came first, and the password that we have just checked is the old one.
        present = User.objects.filter(pk=user.pk, session_epoch=user.session_epoch, is_active=True)
        if not present.update(last_login=clock.now()):
            raise WrongCredentials()
        session.save(force_insert=True)
    return tokens.pair_for(user, session)


def refresh(*, refresh_token: str) -> TokenPair:
    """Spends a refresh token for a new pair.

    Raises:
        InvalidRefreshToken: not ours, expired, of an ended session or an inactive user, or
            spent before; a token that is used twice was stolen once, so that ends the session.
    """
    claims = tokens.read_refresh(refresh_token)
    if claims is None:
        raise InvalidRefreshToken()
    sessions = LoginSession.objects.filter(user_id=claims.user_id, pk=claims.session_id)
    # Compare-and-set: of two uses at once only one finds its token unspent. Without a join on
    # the user: an UPDATE with one reads token_id in a subquery, which is not looked at again
    # after waiting for the other's lock.
    with transaction.atomic():  # a second use, which ends the session, waits until we have read it
        rotated = sessions.filter(token_id=claims.token_id).update(
            token_id=uuid.uuid4().hex, expires_at=tokens.refresh_expiry()
        )
        session = sessions.select_related("user").first() if rotated else None
    if session is None or not session.user.is_active:
        sessions.delete()
        raise InvalidRefreshToken()
    return tokens.pair_for(session.user, session)


def log_out(*, refresh_token: str) -> None:
    """Ends the session of a refresh token. An unknown or ended one is no error."""
    if claims := tokens.read_refresh(refresh_token):
        LoginSession.objects.filter(user_id=claims.user_id, pk=claims.session_id).delete()


def require_password(*, user: User, password: str) -> None:
    """Asks who is logged in for the password again.

    Raises:
        InvalidInput: it is another one.
    """
    if not check_password(password, user.password):
        raise InvalidInput("current_password", "wrong-password", "This is not your password.")


def require_credentials(*, user: User, password: str) -> None:
    """Asks for a password as a login does, and starts no session.

    Raises:
        WrongCredentials: it is another one, or the user may not log in.
    """
    if not check_password(password, user.password) or not user.is_active:
        raise WrongCredentials()


def change_password(*, user: User, new_password: str, session_id: uuid.UUID | None) -> None:
    """Sets the password, ends all access tokens, and every session but `session_id`.

    Raises:
        InvalidInput: the new password is weak.
        SessionEnded: the password was changed, or the user deactivated, at this very moment.
    """
    _require_strong(new_password, user, field="new_password")
    user.set_password(new_password)
    epoch = uuid.uuid4()
    with write_fence(user.pk), transaction.atomic():
        # On condition, as in log_in(): who was put out meanwhile sets nothing any more.
        present = User.objects.filter(pk=user.pk, session_epoch=user.session_epoch, is_active=True)
        if not present.update(password=user.password, session_epoch=epoch):
            raise SessionEnded()
        others = LoginSession.objects.filter(user_id=user.pk)
        (others.exclude(pk=session_id) if session_id else others).delete()
    user.session_epoch = epoch


def set_password(*, user: User, password: str) -> None:
    """Staff set it for somebody; every session of that user ends. The caller has checked it."""
    user.set_password(password)
    with write_fence(user.pk), transaction.atomic():
        user.save(update_fields=["password"])
        _end_sessions(user)


def set_active(*, user: User, active: bool) -> None:
    """Lets a user in or keeps them out; kept out, their tokens stop working at once."""
    with write_fence(user.pk), transaction.atomic():
        user.is_active = active
        user.save(update_fields=["is_active"])
        _end_sessions(user)


def set_rights(*, user: User, rights: dict[str, bool]) -> None:
    """Sets any of `is_staff` and `is_superuser`."""
    for name, value in rights.items():
        setattr(user, name, value)
    with write_fence(user.pk):
        user.save(update_fields=rights)


def end_sessions(*, user: User) -> None:
    """Ends every access token, every refresh token, and every login in the admin."""
    with write_fence(user.pk), transaction.atomic():
        _end_sessions(user)


def _end_sessions(user: User) -> None:
    user.session_epoch = uuid.uuid4()
    user.save(update_fields=["session_epoch"])
    LoginSession.objects.filter(user_id=user.pk).delete()


def update_profile(*, user: User, changes: dict[str, Any], if_unchanged: bool = False) -> User:
    """Sets any of `email`, `full_name`, `currency`; what is not named stays as it is.

    Only these columns are written, so that a name whose token cannot be read just now is not
    overwritten by its absence.

    Raises:
        Taken: somebody else has the e-mail address.
        PreconditionFailed: the profile is no longer as `user` says, and was to be changed only so.
    """
    if not changes:
        return user
    if "email" in changes:
        _require_free(email=changes["email"], except_user_id=user.pk)
    try:
        with write_fence(user.pk), transaction.atomic():
            if if_unchanged:
                _require_unchanged(user)
            for field, value in changes.items():
                setattr(user, field, value)
            user.save(update_fields=_with_indexes(changes))
    except IntegrityError:
        _require_free(email=changes.get("email"), except_user_id=user.pk)
        raise
    return user


def _require_unchanged(user: User) -> None:
    # A write comes first: who else writes to the row waits from here on, and nothing is read
    # that somebody is about to change. The tokens of one value differ, so the values are compared.
    present = User.objects.filter(pk=user.pk)
    present.update(is_active=F("is_active"))
    row = present.get()
    if any(getattr(row, name) != getattr(user, name) for name in PROFILE):
        raise PreconditionFailed()


def log_access(*, actor: User, subject_id: int, what: str, route: Literal["admin", "api"]) -> None:
    """Writes that `actor` opens the personal data of `subject_id`. Call it before showing any.

    What is one's own is not logged.
    """
    if actor.pk != subject_id:
        AccessLogEntry.objects.create(actor=actor, subject_id=subject_id, what=what, route=route)


def purge_sessions() -> int:
    """Deletes the sessions whose refresh token has expired; returns how many rows went."""
    return LoginSession.objects.filter(expires_at__lt=clock.now()).delete()[0]


def _with_indexes(changes: dict[str, Any]) -> list[str]:
    indexed = [name for name in ("email", "full_name") if name in changes]
    return [*changes, *(blind_index(User, name).attname for name in indexed)]


def _require_free(
    *, username: str | None = None, email: str | None = None, except_user_id: int | None = None
) -> None:
    if username and queries.username_taken(username):
        raise Taken("username", "This user name is taken.")
    if email and queries.email_taken(email, except_user_id=except_user_id):
        raise Taken("email", "This e-mail address is taken.")


def _require_strong(password: str, user: User, *, field: str) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(field, "weak-password", " ".join(error.messages)) from None


@cache
def nobodys_password() -> str:
    """A hash to check against when there is no user, so that it takes as long.

    Made once in a process; a server makes it before its first request.
    """
    return make_password(uuid.uuid4().hex)
