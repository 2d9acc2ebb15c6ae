"""Model fields for values that must not be readable in the database."""

import logging
from collections.abc import Callable
from typing import Any

import fernet_fields
from cryptography.fernet import InvalidToken, MultiFernet
from django.conf import settings
from django.db import models

from fido.lib.values.crypto.blind import digest, normalised_email, normalised_name
from fido.lib.values.crypto.keys import fernet_ring

__all__ = [
    "BlindIndexField",
    "EncryptedTextField",
    "blind_index",
    "encrypted",
    "matching",
    "normalised_email",
    "normalised_name",
]

logger = logging.getLogger(__name__)


class EncryptedTextField(fernet_fields.EncryptedTextField):  # type: ignore[misc]
    """Text stored as a Fernet token, guarded against the package's ways of losing data.

    The package encrypts the *text of the SQL expression* in `bulk_update()`, `update(x=F(…))` and
    `update(x=Value(…))`. This field accepts only a string or None. A token that fits no key reads
    as None and is logged as an error, so that one damaged row does not take down its page. Lookups
    other than `isnull` are refused: see BlindIndexField.
    """

    @property
    def fernet(self) -> MultiFernet:
        return fernet_ring()

    def get_db_prep_save(self, value: object, connection: Any) -> Any:
        if value is not None and not isinstance(value, str):
            raise TypeError(
                f"{self} takes a string or None, not {type(value).__name__}: "
                "an SQL expression cannot be encrypted, so bulk_update() is refused too."
            )
        return super().get_db_prep_save(value, connection)

    def from_db_value(self, value: Any, *args: Any) -> str | None:
        if value is None:
            return None
        try:
            return self.fernet.decrypt(bytes(value)).decode()
        except (InvalidToken, UnicodeDecodeError):
            logger.error("A token in %s fits no key.", self)
            return None

    def get_lookup(self, lookup_name: str) -> Any:
        return super().get_lookup(lookup_name) if lookup_name == "isnull" else None

    def get_transform(self, lookup_name: str) -> Any:
        return None


class BlindIndexField(models.BinaryField):  # type: ignore[type-arg]
    """HMAC-SHA-256 of another field's normalised value: equality without readability.

    Filled from `source` whenever the row is saved. Each field has its own digests, so that equal
    values in two tables cannot be matched.
    """

    def __init__(
        self, *args: Any, source: str, normalise: Callable[[str], str], **kwargs: Any
    ) -> None:
        self.source, self.normalise = source, normalise
        kwargs.update(max_length=32, null=True, editable=False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.update(source=self.source, normalise=self.normalise)
        return name, path, args, kwargs

    def pre_save(self, model_instance: models.Model, add: bool) -> bytes | None:
        digest = self.digest(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, digest)
        return digest

    @property
    def label(self) -> str:
        """Separates its digests from those of other fields."""
        return f"{self.model._meta.label}.{self.source}"

    def digest(self, value: str | None) -> bytes | None:
        """What to store for a value: its digest under the newest key."""
        return self.digests(value)[0] if value else None

    def digests(self, value: str) -> list[bytes]:
        """What may be stored for a value, newest key first: filter by `__in` these."""
        normalised = self.normalise(value)
        return [digest(key, self.label, normalised) for key in settings.BLIND_INDEX_KEYS]


def blind_index(model: type[models.Model], source: str) -> BlindIndexField:
    """The blind index of an encrypted field.

    Raises:
        LookupError: the field has none.
    """
    for field in model._meta.get_fields():
        if isinstance(field, BlindIndexField) and field.source == source:
            return field
    raise LookupError(f"{model._meta.label}.{source} has no blind index")


def encrypted(model: type[models.Model], name: str) -> EncryptedTextField:
    """An encrypted field, whose `from_db_value` reads what a plain statement has found."""
    field = model._meta.get_field(name)
    assert isinstance(field, EncryptedTextField)
    return field


def matching(model: type[models.Model], source: str, value: str) -> models.Q:
    """The rows whose encrypted `source` equals the value after normalisation."""
    field = blind_index(model, source)
    digests = field.digests(value)
    # There is usually one key; with `=` instead of `IN` the index also provides the order.
    return (
        models.Q(**{field.attname: digests[0]})
        if len(digests) == 1
        else models.Q(**{f"{field.attname}__in": digests})
    )
