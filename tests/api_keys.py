"""API keys, made as the service makes them."""

from datetime import datetime

from accounts import keys
from accounts.models import ApiKey, User
from fido.lib.api.scopes import SCOPES
from tests.client import ApiClient

READS = tuple(scope for scope in SCOPES if scope.endswith(":read"))


class Machine(ApiClient):
    """Calls the API with a key of the user's, with all scopes unless it is given some."""

    def __init__(
        self, user: User, *scopes: str, name: str = "machine", expires_at: datetime | None = None
    ) -> None:
        user = User.objects.get(pk=user.pk)
        self.row: ApiKey
        self.row, self.key = keys.make(
            user=user, name=name, scopes=scopes or SCOPES, expires_at=expires_at
        )
        super().__init__(token=self.key)
        self.user = user

    def revoke(self) -> None:
        keys.revoke(user_id=self.row.user_id, key_id=self.row.pk)
