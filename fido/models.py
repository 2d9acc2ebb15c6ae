"""The project's only table: used idempotency keys."""

from django.conf import settings
from django.db import models

from fido.lib.values import clock
from fido.lib.values.crypto.fields import EncryptedTextField
from fido.lib.values.ids import new_id


class IdempotencyKey(models.Model):
    """A key that a user has used, and the answer that it got.

    The key is stored as its SHA-256 digest, because clients put anything into one.
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    key_digest = models.BinaryField(max_length=32)
    # None only inside the transaction that claims the key.
    answer = EncryptedTextField(null=True)
    created_at = models.DateTimeField(default=clock.now)

    class Meta:
        default_permissions = ()  # staff have no access
        constraints = [
            models.UniqueConstraint(
                fields=["user", "key_digest"], name="idempotency_key_unique_per_user"
            )
        ]
        # Used only by the purge.
        indexes = [models.Index(fields=["created_at"], name="idempotency_key_by_age")]

    def __str__(self) -> str:
        return str(self.id)
