"""Staff users of the admin pages."""

from typing import Any

from django.db import connection
from django.test import Client

from accounts.models import User
from tests.client import ApiClient
from tests.factories import UserFactory

HIDDEN = "•••"


class Desk:
    """A browser in which a user is logged in to the admin; paths are below `/admin/`."""

    def __init__(self, user: User) -> None:
        self.user = user
        self._browser = Client(raise_request_exception=False)
        self._browser.force_login(user)

    def get(self, path: str, **parameters: Any) -> Any:
        return self._browser.get(f"/admin/{path}", query_params=parameters)

    def post(self, path: str, **form: Any) -> Any:
        return self._browser.post(f"/admin/{path}", form)

    def text(self, path: str, **parameters: Any) -> str:
        """The page, which must exist."""
        response = self.get(path, **parameters)
        assert response.status_code == 200, response.content[:500]
        return str(response.content.decode())


def clerk(*permissions: str) -> Desk:
    """Staff with these permissions and no others, such as `accounts.view_user`."""
    user = UserFactory.create(is_staff=True)
    client = ApiClient()  # without a login session
    client.user = user
    client.grant(*permissions)
    return Desk(user)


def page_of(user: User) -> str:
    return f"accounts/user/{user.pk}/change/"


def saved(desk: Desk, user: User, **form: Any) -> Any:
    """The response to saving the record's page with these fields changed."""
    filled = {
        "full_name": user.full_name or "",
        "email": user.email or "",
        "currency": user.currency,
        "is_active": user.is_active,
        "is_staff": user.is_staff,
        "is_superuser": user.is_superuser,
    } | form
    return desk.post(page_of(user), **{k: v for k, v in filled.items() if v is not False})


def damage(row: Any, column: str) -> None:
    """Overwrite an encrypted column with bytes that are not a token."""
    with connection.cursor() as cursor:
        table = row._meta.db_table
        cursor.execute(f"UPDATE {table} SET {column} = 'no token' WHERE id = %s", [row.pk])


def stored(row: Any, column: str) -> bytes:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {row._meta.db_table} WHERE id = %s", [row.pk])
        return bytes(cursor.fetchone()[0])


def refuse_entries() -> None:
    """Make the access log refuse rows. Undone with the test's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON accounts_accesslogentry"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
