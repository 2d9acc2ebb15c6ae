"""Shapes of the account routes."""

from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers

from accounts.limits import MAX_NAME_LENGTH
from accounts.models import USERNAME_PATTERN, User
from fido.lib.api.serializers import CurrencyField, EmailField, StrictSerializer, Text
from fido.lib.values.crypto.masking import masked_email, masked_name

MAX_PASSWORD_LENGTH = 1000


class PasswordField(Text):
    """As typed: leading and trailing spaces count. Bounded, because hashing takes time."""

    def __init__(self) -> None:
        super().__init__(write_only=True, trim_whitespace=False, max_length=MAX_PASSWORD_LENGTH)


class FullNameField(Text):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_NAME_LENGTH, required=False, allow_null=True, **kwargs)


class RegistrationSerializer(StrictSerializer):
    id = serializers.IntegerField(read_only=True)
    username = Text(
        max_length=150,
        validators=[
            RegexValidator(rf"\A{USERNAME_PATTERN}\Z", "Letters, digits and . _ + - only.")
        ],
    )
    email = EmailField(max_length=254)
    password = PasswordField()
    full_name = FullNameField()


class LoginSerializer(StrictSerializer):
    username = Text(max_length=254, help_text="User name or e-mail address.")
    password = PasswordField()


class RefreshSerializer(StrictSerializer):
    refresh_token = Text(max_length=4000)


class TokenPairSerializer(serializers.Serializer[Any]):
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()
    token_type = serializers.CharField(default="Bearer", initial="Bearer")
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires.")


class PasswordChangeSerializer(StrictSerializer):
    current_password = PasswordField()
    new_password = PasswordField()


class UserSerializer(StrictSerializer):
    """A profile. Its owner may read all of it."""

    id = serializers.IntegerField(read_only=True)
    username = Text(read_only=True)
    email = Text(allow_null=True, help_text="Masked whenever names are.")
    full_name = FullNameField()
    currency = CurrencyField(required=False)
    is_active = serializers.BooleanField(read_only=True)
    date_joined = serializers.DateTimeField(read_only=True)


class ProfileSerializer(UserSerializer):
    """What users may change about themselves. An e-mail address can be replaced, not removed."""

    email = EmailField(max_length=254)


class MaskedUserSerializer(UserSerializer):
    """A user as shown to staff in a list, or to staff who may not open names."""

    def to_representation(self, instance: User) -> dict[str, Any]:
        row = super().to_representation(instance)
        row["full_name"] = masked_name(instance.full_name)
        row["email"] = masked_email(instance.email)
        return row
