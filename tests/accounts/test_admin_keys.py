"""The admin page for API keys."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session

from accounts import keys
from accounts.models import ApiKey, User
from fido.lib.values import clock
from tests.api_keys import Machine
from tests.client import ApiClient
from tests.factories import StaffFactory, UserFactory
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
KEYS = "accounts/apikey/"
ALL = ("accounts.add_apikey", "accounts.view_apikey", "accounts.delete_apikey")


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(StaffFactory.create(username="root"))


@pytest.fixture
def bank(db: None) -> User:
    """A service account."""
    user = UserFactory.create(username="bank")
    user.groups.add(Group.objects.get(name="service"))
    return user


def made(desk: Desk, user: User, **form: Any) -> Any:
    return desk.post(
        f"{KEYS}add/",
        **{"user": user.pk, "name": "nightly", "scopes": ["transactions:write", "users:read"]}
        | form,
    )


def test_a_key_for_a_service_account_is_on_the_page_that_answers_and_nowhere_else(
    root: Desk, bank: User
) -> None:
    response = made(root, bank)

    page = response.content.decode()
    key = page.partition("<p><code>")[2].partition("</code>")[0]
    machine = ApiClient(token=key)
    assert machine.get("/users/me").json()["username"] == "bank"
    assert "no-store" in response.headers["Cache-Control"]
    row = ApiKey.objects.get()
    assert (row.user, row.scopes) == (bank, ["transactions:write", "users:read"])
    secret = key.rpartition("_")[2]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.object_repr) == (str(row.pk), f"nightly ({row.prefix}…)")
    later = [root.text(KEYS), root.text(f"{KEYS}{row.pk}/change/"), root.text("")]
    stored = [str(entry.__dict__), *(str(each.get_decoded()) for each in Session.objects.all())]
    assert [text for text in (*later, *stored, str(response.cookies)) if secret in text] == []
    assert row.prefix in later[0]


def test_sending_the_form_again_makes_no_second_key(root: Desk, bank: User) -> None:
    made(root, bank)

    again = made(root, bank).content.decode()

    assert "This user has a key of this name." in again
    assert ApiKey.objects.count() == 1


def test_staff_make_keys_for_themselves_and_superusers_for_services(root: Desk, bank: User) -> None:
    colleague, jane = clerk(*ALL), UserFactory.create()
    attempts = [
        (colleague, colleague.user),
        (colleague, bank),
        (colleague, root.user),
        (root, root.user),
        (root, bank),
        (root, jane),
    ]

    for desk, user in attempts:
        made(desk, user)

    owners = set(ApiKey.objects.values_list("user", flat=True))
    assert owners == {colleague.user.pk, root.user.pk, bank.pk}


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"scopes": []}, "This field is required."),
        ({"scopes": ["everything"]}, "is not one of the available choices."),
        ({"name": ""}, "This field is required."),
        ({"expires_at_0": "2020-01-31", "expires_at_1": "12:00:00"}, "This time is over."),
    ],
)
def test_a_refused_form_makes_no_key(root: Desk, form: dict[str, Any], error: str) -> None:
    assert error in made(root, root.user, **form).content.decode()
    assert not ApiKey.objects.exists()


def test_one_too_many_is_refused_with_the_reason(
    root: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "MAX_KEYS", 0)

    response = made(root, root.user)

    assert response.status_code == 302
    assert "the most that one user may have" in root.text(f"{KEYS}add/")
    assert not ApiKey.objects.exists()


def test_a_key_may_expire(root: Desk) -> None:
    made(root, root.user, expires_at_0="2100-01-31", expires_at_1="12:00:00")

    row = ApiKey.objects.get()
    assert row.expires_at
    assert row.expires_at - clock.now() > timedelta(days=365)


def test_a_key_is_revoked_from_its_page_and_from_the_list(root: Desk, ada: ApiClient) -> None:
    assert ada.user
    machines = [Machine(ada.user, name=name) for name in "abc"]
    assert [each.get("/users/me").status_code for each in machines] == [200] * 3

    root.post(f"{KEYS}{machines[0].row.pk}/delete/", post="yes")
    chosen = [each.row.pk for each in machines[1:]]
    root.post(KEYS, action="delete_selected", _selected_action=chosen[:1], post="yes")

    assert [each.get("/users/me").status_code for each in machines] == [401, 401, 200]
    assert LogEntry.objects.filter(user=root.user).count() == 2


def test_nobody_changes_a_key(root: Desk, ada: ApiClient) -> None:
    assert ada.user
    machine = Machine(ada.user, "users:read")
    path = f"{KEYS}{machine.row.pk}/change/"

    assert root.post(path, user=ada.user_id, name="x", scopes=["users:write"]).status_code == 403
    page = root.text(path)

    assert machine.row.prefix in page
    assert ApiKey.objects.get().scopes == ["users:read"]


def test_without_its_permission_nothing_works(ada: ApiClient) -> None:
    assert ada.user
    machine = Machine(ada.user)
    desk = clerk("accounts.view_user")

    statuses = [
        desk.get(KEYS).status_code,
        made(desk, desk.user).status_code,
        desk.post(f"{KEYS}{machine.row.pk}/delete/", post="yes").status_code,
    ]

    assert statuses == [403, 403, 403]
    assert machine.get("/users/me").status_code == 200


def test_a_users_keys_are_found_by_name(root: Desk, ada: ApiClient, ben: ApiClient) -> None:
    assert ada.user
    assert ben.user
    hers, _ = Machine(ada.user), Machine(ben.user)

    assert list(root.get(KEYS, q="ada").context["cl"].result_list) == [hers.row]
