"""Users, their login sessions and API keys, and the log of whose data staff have opened."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from fido.lib.values import clock, money
from fido.lib.values.crypto.fields import (
    BlindIndexField,
    EncryptedTextField,
    matching,
    normalised_email,
    normalised_name,
)
from fido.lib.values.ids import new_id

SERVICE_GROUP = "service"
MAX_KEY_NAME_LENGTH = 100
USERNAME_PATTERN = r"[A-Za-z0-9_.+-]{1,150}"


def default_currency() -> str:
    return str(settings.DEFAULT_CURRENCY)


def require_known_currency(code: str) -> None:
    # A validator instead of `choices`, which would need a migration whenever ISO 4217 grows.
    if code not in money.CURRENCIES:
        raise ValidationError("Not an ISO 4217 currency.", code="unknown-currency")


class UserQuerySet(models.QuerySet["User"]):
    def with_username(self, username: str) -> UserQuerySet:
        """Case-insensitive, by the index on lower(username)."""
        return self.alias(lowered=Lower("username")).filter(lowered=username.lower())

    def with_email(self, email: str) -> UserQuerySet:
        return self.filter(matching(User, "email", email))

    def with_login_name(self, name: str) -> UserQuerySet:
        """A user name contains no @, so one login name never means two users."""
        return self.with_email(name) if "@" in name else self.with_username(name)


class UserManager(BaseUserManager["User"]):
    def get_queryset(self) -> UserQuerySet:
        return UserQuerySet(self.model, using=self._db)

    def get_by_natural_key(self, username: str | None) -> User:
        return self.get_queryset().with_login_name(username or "").get()

    def create_user(
        self, username: str, email: str | None = None, password: str | None = None, **extra: Any
    ) -> User:
        user = self.model(username=username, email=email, **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(
        self, username: str, email: str | None = None, password: str | None = None, **extra: Any
    ) -> User:
        """For `manage.py createsuperuser`."""
        return self.create_user(
            username, email, password, is_staff=True, is_superuser=True, **extra
        )


class User(AbstractBaseUser, PermissionsMixin):
    """A person or a service account."""

    username = models.CharField(
        max_length=150,
        unique=True,  # Django's login needs this one; ours below also folds the case
        validators=[RegexValidator(rf"\A{USERNAME_PATTERN}\Z")],
        help_text="Letters, digits and . _ + - only.",
    )
    email = EncryptedTextField("e-mail address", null=True, blank=True)
    email_index = BlindIndexField(source="email", normalise=normalised_email, unique=True)
    full_name = EncryptedTextField(null=True, blank=True)
    full_name_index = BlindIndexField(source="full_name", normalise=normalised_name, db_index=True)
    currency = models.CharField(
        max_length=3,
        default=default_currency,
        validators=[require_known_currency],
        help_text="Used for transactions that name none, and for reports.",
    )
    is_active = models.BooleanField(
        default=True, help_text="If cleared, every token of this user stops working at once."
    )
    is_staff = models.BooleanField(default=False, help_text="May log in here.")
    date_joined = models.DateTimeField(default=clock.now, editable=False)
    session_epoch = models.UUIDField(
        default=uuid.uuid4,
        editable=False,
        # Random, not a counter: a counter restored from a backup would revive old tokens.
        help_text="Access tokens carry it; renewing it ends them all.",
    )
    # Renewed when a key is revoked, so that processes which remember a key look again. Null until
    # then: the release before, which still runs while this one is rolled out, sets none.
    key_epoch = models.UUIDField(null=True, editable=False)

    USERNAME_FIELD = "username"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["email"]

    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        permissions = [
            ("view_personal_data", "Can open names, e-mail addresses and descriptions in clear"),
        ]
        constraints = [
            models.UniqueConstraint(Lower("username"), name="username_unique_whatever_its_case"),
            models.CheckConstraint(
                name="username_is_plain", condition=Q(username__regex=rf"^{USERNAME_PATTERN}$")
            ),
            models.CheckConstraint(
                name="user_currency_is_a_code", condition=Q(currency__regex="^[A-Z]{3}$")
            ),
        ]

    def __str__(self) -> str:
        return self.username

    def clean(self) -> None:
        # AbstractBaseUser.clean() normalises only the user name; an e-mail stays as written.
        self.username = self.normalize_username(self.username)

    def refresh_from_db(
        self,
        using: str | None = None,
        fields: Iterable[str] | None = None,
        from_queryset: models.QuerySet[User] | None = None,
    ) -> None:
        # The caller of a request has a few columns. The first access to another one loads all the
        # rest, as of one moment.
        deferred = self.get_deferred_fields()
        if fields is not None and deferred.intersection(fields := list(fields)):
            fields = deferred.union(fields)
        super().refresh_from_db(using, fields, from_queryset)

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        # Renewing the epoch ends logins in the admin too.
        value = f"{self.password}{self.session_epoch.hex}"
        return salted_hmac("fido.session", value, secret=secret, algorithm="sha256").hexdigest()

    @property
    def is_service(self) -> bool:
        """Another system, which may name any user. It costs one query: call it only when needed."""
        return self.groups.filter(name=SERVICE_GROUP).exists()

    def may_for_others(self, permission: str) -> bool:
        """Whether this user may do what `permission` names to anyone's records."""
        return self.is_staff and self.has_perm(permission)


class LoginSession(models.Model):
    """A family of refresh tokens: one login, and the tokens rotated out of it.

    Only the id of the unspent refresh token is stored, never a token.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, db_index=False)
    token_id = models.CharField(max_length=32)
    created_at = models.DateTimeField(default=clock.now)
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["user", "id"], name="login_session_of_user"),
            models.Index(fields=["expires_at"], name="login_session_by_expiry"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class ApiKey(models.Model):
    """A key with which a machine calls the API as its user. The key itself is not stored."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, db_index=False)
    name = models.CharField(max_length=MAX_KEY_NAME_LENGTH, help_text="What it is for.")
    prefix = models.CharField(max_length=40, editable=False, help_text="How the key begins.")
    # SHA-256 of the key. 256 random bits cannot be guessed, so the hash need not be slow.
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=40))
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Empty: never.")
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="To the hour.")

    class Meta:
        verbose_name = "API key"
        constraints = [
            models.UniqueConstraint(fields=["user", "digest"], name="api_key_of_user"),
            models.UniqueConstraint(
                fields=["user", "name"],
                name="api_key_unique_by_name",
                violation_error_message="This user has a key of this name.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class AccessLogEntry(models.Model):
    """Who opened whose personal data, searched for a name, or changed another's records, and when.

    A trigger refuses UPDATE and DELETE.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(default=clock.now, editable=False)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    subject = models.ForeignKey(
        User,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The owner of the data; null: a search in everybody's.",
    )
    what = models.CharField(max_length=100, help_text="Model and id, or the question asked.")
    route = models.CharField(max_length=10, choices=[("admin", "admin"), ("api", "api")])
    details = models.JSONField(
        default=dict,
        db_default={},
        help_text="Of a search: a keyed digest of what was searched. Of a change: each field before"
        " and after, of personal data only that it was changed.",
    )
    address = models.CharField(
        max_length=45, blank=True, db_default="", help_text="Where the request came from."
    )
    request_id = models.CharField(max_length=128, blank=True, db_default="")

    class Meta:
        verbose_name_plural = "access log"
        indexes = [models.Index(fields=["subject", "at"], name="access_log_of_subject")]

    def __str__(self) -> str:
        return f"{self.actor} opened {self.what}"
