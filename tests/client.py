"""A client that logs in like a real one and uses the API's paths."""

from typing import Any

from django.contrib.auth.models import Permission
from django.test import Client

from accounts.models import LoginSession, User
from accounts.tokens import TokenPair, pair_for, refresh_expiry
from tests.factories import UserFactory


class ApiClient:
    """Calls `/api/v1` as one user, or anonymously."""

    def __init__(self, user: User | None = None, *, token: str | None = None) -> None:
        self.user = user
        self.tokens = session_of(user) if user else None
        self.token = token or (self.tokens and self.tokens.access_token)
        self._client = Client(raise_request_exception=False)

    @property
    def user_id(self) -> int:
        assert self.user
        return self.user.pk

    def grant(self, *permissions: str) -> None:
        """Give the user permissions such as `transactions.view_transaction`."""
        assert self.user
        for permission in permissions:
            app, _, codename = permission.partition(".")
            row = Permission.objects.get(content_type__app_label=app, codename=codename)
            self.user.user_permissions.add(row)

    def request(self, method: str, path: str, body: Any = None, **extra: Any) -> Any:
        if self.token:
            extra["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        if body is not None:
            extra |= {"data": body, "content_type": extra.get("content_type", "application/json")}
        url = path if path.startswith(("http", "/api", "/admin")) else f"/api/v1{path}"
        return getattr(self._client, method)(url, **extra)

    def get(self, path: str, **parameters: Any) -> Any:
        return self.request("get", path, **({"query_params": parameters} if parameters else {}))

    def post(self, path: str, body: Any = None, **extra: Any) -> Any:
        return self.request("post", path, {} if body is None else body, **extra)

    def put(self, path: str, body: Any) -> Any:
        return self.request("put", path, body)

    def patch(self, path: str, body: Any) -> Any:
        return self.request("patch", path, body)

    def delete(self, path: str) -> Any:
        return self.request("delete", path)


def session_of(user: User) -> TokenPair:
    """A login without hashing the password, which would take most of a test's time."""
    session = LoginSession.objects.create(user=user, token_id="0" * 32, expires_at=refresh_expiry())
    return pair_for(user, session)


def staff_with(*permissions: str) -> ApiClient:
    """A new member of staff, with these permissions and no others."""
    client = ApiClient(UserFactory.create(is_staff=True))
    client.grant(*permissions)
    return client


def errors_of(response: Any) -> list[tuple[str, str]]:
    """Pointer and code of each error in a 400 about the body."""
    assert response.status_code == 400, response.content
    return [(error["pointer"], error["code"]) for error in response.json()["errors"]]
