"""Everything that changes accounts. It knows nothing of HTTP."""

import uuid
from collections.abc import Iterable
from functools import cache
from typing import Any, Literal

from django.conf import settings
from django.contrib.auth import password_validation
from django.contrib.auth.hashers import check_password, identify_hasher, make_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from structlog.contextvars import get_contextvars

from accounts import queries, tokens
from accounts.models import AccessLogEntry, ApiKey, LoginSession, User
from accounts.tokens import TokenPair
from fido.lib.cache.versioned_cache import write_fence
from fido.lib.values import clock
from fido.lib.values.crypto.blind import digest, normalised_name
from fido.lib.values.crypto.fields import blind_index
from fido.lib.values.errors import DomainError, InvalidInput, Kind, PreconditionFailed

# How somebody opens the personal data of others.
Route = Literal["admin", "api"]
LOGGED_AT_ONCE = 1000
MAX_ADDRESS = 45
# What a profile shows and what may change in it.
PROFILE = ("email", "full_name", "currency", "is_active")


class WrongCredentials(DomainError):
    """One answer for wrong, unknown and inactive: which one it was must not show."""

    code, title, kind = (
        "invalid-credentials",
        "User name or password is wrong.",
        Kind.UNAUTHENTICATED,
    )


class SessionEnded(DomainError):
    code, title, kind = "invalid-token", "This session has ended.", Kind.UNAUTHENTICATED


class InvalidRefreshToken(DomainError):
    code, title, kind = "invalid-token", "This refresh token is not valid.", Kind.UNAUTHENTICATED


class IdentityTaken(InvalidInput):
    """Another user has this user name or e-mail address."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(field, "taken", detail)


def register(*, username: str, email: str, password: str, full_name: str | None = None) -> User:
    """Create a user who can log in. Raises as `applicant` and `admit` do."""
    user = applicant(username=username, email=email, password=password, full_name=full_name)
    admit(user)
    return user


def applicant(*, username: str, email: str, password: str, full_name: str | None = None) -> User:
    """The user to be, with the password hashed: call it in no transaction, because that takes long.

    Raises:
        IdentityTaken: the user name or the e-mail address is.
        InvalidInput: the password is weak.
        Overloaded
    """
    user = User(username=username, email=email, full_name=full_name)
    _require_free(username=username, email=email)
    _require_strong(password, user, field="password")
    user.set_password(password)
    return user


def admit(user: User) -> None:
    """Create the user.

    Raises:
        IdentityTaken: the user name or the e-mail address is.
    """
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        # Another writer took it since we looked. If not, it is a bug and must surface.
        _require_free(username=user.username, email=user.email)
        raise


def create_customers(customers: Iterable[tuple[str, str]]) -> list[User]:
    """Create users who cannot log in, of these full names and currencies.

    They have no address, no password, and a generated user name.
    """
    users = [
        User(username=f"customer-{uuid.uuid4().hex}", full_name=full_name, currency=currency)
        for full_name, currency in customers
    ]
    for user in users:
        user.set_unusable_password()
    return User.objects.bulk_create(users)


def log_in(*, name: str, password: str) -> TokenPair:
    """Start a session for a user name or an e-mail address.

    Raises:
        WrongCredentials: always after the same work, so that the timing reveals nothing.
    """
    user = queries.user_by_login(name)
    matches = check_password(password, user.password if user else nobodys_password())
    if user is None or not matches or not user.is_active:
        raise WrongCredentials()
    session = LoginSession(user=user, token_id=uuid.uuid4().hex, expires_at=tokens.refresh_expiry())
    changes = {"last_login": clock.now(), **_renewed_hash(user, password)}
    with transaction.atomic():
        # A conditional write. A concurrent password change or deactivation either waits, and then
        # ends this session too, or came first, and the password that we have checked is the old
        # one.
        present = User.objects.filter(pk=user.pk, session_epoch=user.session_epoch, is_active=True)
        if not present.update(**changes):
            raise WrongCredentials()
        session.save(force_insert=True)
    return tokens.pair_for(user, session)


def refresh(*, refresh_token: str) -> TokenPair:
    """Exchange a refresh token for a new pair.

    Raises:
        InvalidRefreshToken: not ours, expired, of an ended session or an inactive user, or
            already spent. A token that is used twice was stolen, so that ends the session.
    """
    claims = tokens.read_refresh(refresh_token)
    if claims is None:
        raise InvalidRefreshToken()
    sessions = LoginSession.objects.filter(user_id=claims.user_id, pk=claims.session_id)
    # Compare-and-set: of two concurrent uses only one finds its token unspent. It does not join the
    # user: an UPDATE with a join reads token_id in a subquery, which is not evaluated again after
    # waiting for the other's lock.
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
    """End the session of a refresh token. An unknown or ended one is not an error."""
    if claims := tokens.read_refresh(refresh_token):
        LoginSession.objects.filter(user_id=claims.user_id, pk=claims.session_id).delete()


def require_password(*, user: User, password: str) -> None:
    """Ask a logged-in user for the password again.

    Raises:
        InvalidInput: the password is wrong.
    """
    if not check_password(password, user.password):
        raise InvalidInput("current_password", "wrong-password", "This is not your password.")


def require_credentials(*, user: User, password: str) -> None:
    """Check credentials like a login does, without starting a session.

    Raises:
        WrongCredentials: the password is wrong, or the user may not log in.
    """
    if not check_password(password, user.password) or not user.is_active:
        raise WrongCredentials()


def change_password(*, user: User, new_password: str, session_id: uuid.UUID | None) -> None:
    """Set the password; end all access tokens and every session except `session_id`.

    Raises:
        InvalidInput: the new password is weak.
        SessionEnded: the password was changed, or the user deactivated, concurrently.
    """
    _require_strong(new_password, user, field="new_password")
    user.set_password(new_password)
    epoch = uuid.uuid4()
    with write_fence(user.pk), transaction.atomic():
        # Conditional, as in log_in(): a user who was logged out meanwhile can no longer set it.
        present = User.objects.filter(pk=user.pk, session_epoch=user.session_epoch, is_active=True)
        if not present.update(password=user.password, session_epoch=epoch):
            raise SessionEnded()
        others = LoginSession.objects.filter(user_id=user.pk)
        (others.exclude(pk=session_id) if session_id else others).delete()
    user.session_epoch = epoch


def set_password(*, user: User, password: str) -> None:
    """Set another user's password, for staff; it ends all that user's sessions. The caller has
    validated it.
    """
    user.set_password(password)
    with write_fence(user.pk), transaction.atomic():
        user.save(update_fields=["password"])
        _end_sessions(user)


def set_active(*, user: User, active: bool) -> None:
    """Activate or deactivate a user; tokens and keys stop working at once, and for good."""
    with write_fence(user.pk), transaction.atomic():
        user.is_active, user.key_epoch = active, uuid.uuid4()
        user.save(update_fields=["is_active", "key_epoch"])
        ApiKey.objects.filter(user_id=user.pk).delete()
        _end_sessions(user)


def set_rights(*, user: User, rights: dict[str, bool]) -> None:
    """Set `is_staff`, `is_superuser`, or both."""
    for name, value in rights.items():
        setattr(user, name, value)
    with write_fence(user.pk):
        user.save(update_fields=rights)


def end_sessions(*, user: User) -> None:
    """End every access token, every refresh token, and every login in the admin."""
    with write_fence(user.pk), transaction.atomic():
        _end_sessions(user)


def _end_sessions(user: User) -> None:
    user.session_epoch = uuid.uuid4()
    user.save(update_fields=["session_epoch"])
    LoginSession.objects.filter(user_id=user.pk).delete()


def update_profile(*, user: User, changes: dict[str, Any], if_unchanged: bool = False) -> User:
    """Set any of `email`, `full_name`, `currency`; omitted fields stay as they are.

    Only these columns are written. Otherwise a name whose token cannot be read at the moment would
    be overwritten with nothing.

    Raises:
        IdentityTaken: another user has the e-mail address.
        PreconditionFailed: the change was conditional, and the profile differs from `user`.
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
    # The write comes first: from here on other writers of the row wait, so nothing that we read is
    # about to change. Two tokens of one value differ, so the values are compared.
    present = User.objects.filter(pk=user.pk)
    present.update(is_active=F("is_active"))
    row = present.get()
    if any(getattr(row, name) != getattr(user, name) for name in PROFILE):
        raise PreconditionFailed()


def log_access(
    *,
    actor: User,
    subject_id: int | None,
    what: str,
    route: Route,
    details: dict[str, Any] | None = None,
) -> None:
    """Log that `actor` opens the personal data of `subject_id`, or changes their records.

    Call it before showing any, or in the transaction of the change. What somebody does to their own
    is not logged. `details` holds no personal data.
    """
    log_accesses(actor=actor, subject_ids=[subject_id], what=what, route=route, details=details)


def log_accesses(
    *,
    actor: User,
    subject_ids: Iterable[int | None],
    what: str,
    route: Route,
    details: dict[str, Any] | None = None,
) -> None:
    """Log the same for several subjects."""
    request = get_contextvars()
    told = {name: request.get(name) or "" for name in ("address", "request_id")}
    told["address"] = told["address"][:MAX_ADDRESS]  # of a socket it is a path
    entries = [
        AccessLogEntry(
            actor=actor,
            subject_id=subject_id,
            what=what,
            route=route,
            details=details or {},
            **told,
        )
        for subject_id in subject_ids
        if subject_id != actor.pk
    ]
    AccessLogEntry.objects.bulk_create(entries, LOGGED_AT_ONCE)


def log_search(
    *, actor: User, term: str, what: str, route: Route, subject_id: int | None = None
) -> None:
    """Log that `actor` searches for a name or an address. Call it before showing what was found.

    The digest tells whether two searches were for the same, and nothing about what it was.
    """
    key, searched = settings.BLIND_INDEX_KEYS[0], normalised_name(term)
    details = {"searched": digest(key, "accounts.AccessLogEntry.searched", searched).hex()}
    log_access(actor=actor, subject_id=subject_id, what=what, route=route, details=details)


def purge_sessions() -> int:
    """Delete the sessions whose refresh token has expired; return how many rows were deleted."""
    return LoginSession.objects.filter(expires_at__lt=clock.now()).delete()[0]


def _with_indexes(changes: dict[str, Any]) -> list[str]:
    indexed = [name for name in ("email", "full_name") if name in changes]
    return [*changes, *(blind_index(User, name).attname for name in indexed)]


def _renewed_hash(user: User, password: str) -> dict[str, str]:
    """What to change if the hash was made with other parameters than today's."""
    outdated = identify_hasher(user.password).must_update(user.password)
    return {"password": make_password(password)} if outdated else {}


def _require_free(
    *, username: str | None = None, email: str | None = None, except_user_id: int | None = None
) -> None:
    if username and queries.username_taken(username):
        raise IdentityTaken("username", "This user name is taken.")
    if email and queries.email_taken(email, except_user_id=except_user_id):
        raise IdentityTaken("email", "This e-mail address is taken.")


def _require_strong(password: str, user: User, *, field: str) -> None:
    try:
        password_validation.validate_password(password, user)
    except ValidationError as error:
        raise InvalidInput(field, "weak-password", " ".join(error.messages)) from None


@cache
def nobodys_password() -> str:
    """A hash to check when the user does not exist, so that it takes as long.

    Made once per process; a server makes it before its first request.
    """
    return make_password(uuid.uuid4().hex)
