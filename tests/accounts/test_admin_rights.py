"""What staff may not do on the pages about accounts, the access log, and login sessions."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from accounts.models import AccessLogEntry, LoginSession, User
from tests.client import ApiClient
from tests.factories import PASSWORD, StaffFactory, UserFactory
from tests.staff import Desk, clerk, page_of, saved

pytestmark = pytest.mark.django_db
USERS = "accounts/user/"
CLEAR = "accounts.view_personal_data"


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(StaffFactory.create(username="root", full_name="Rooty Root"))


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane", full_name="Jane Doe", email="jd@mail.example")


def test_nobody_deletes_a_user(root: Desk, jane: User) -> None:
    assert root.get(f"{USERS}{jane.pk}/delete/").status_code == 403
    assert root.post(f"{USERS}{jane.pk}/delete/", post="yes").status_code == 403
    root.post(USERS, action="delete_selected", _selected_action=[jane.pk], post="yes")

    assert User.objects.filter(pk=jane.pk).exists()


ALL_OF_ACCOUNTS = ("accounts.add_user", "accounts.change_user", "accounts.view_user", CLEAR)


def test_staff_who_are_no_superusers_give_nobody_rights(jane: User) -> None:
    desk = clerk(*ALL_OF_ACCOUNTS)
    group, permission = Group.objects.get(name="service"), Permission.objects.all()[0]
    rights = {"groups": [group.pk], "user_permissions": [permission.pk]}

    response = saved(desk, jane, is_staff=True, is_superuser=True, currency="EUR", **rights)

    assert response.status_code == 302
    user = User.objects.get(pk=jane.pk)
    assert user.currency == "EUR"
    assert (user.is_staff, user.is_superuser) == (False, False)
    assert [*user.groups.all(), *user.user_permissions.all()] == []


@pytest.mark.parametrize("whom", ["self", "superuser", "colleague", "service account"])
def test_staff_who_are_no_superusers_take_over_nobodys_rights(root: Desk, whom: str) -> None:
    desk = clerk(*ALL_OF_ACCOUNTS)
    service = UserFactory.create(username="bank")
    service.groups.add(Group.objects.get(name="service"))
    colleague = UserFactory.create(is_staff=True)
    target = {"self": desk.user, "superuser": root.user, "colleague": colleague}.get(whom, service)
    password = {"password1": "another horse battery", "password2": "another horse battery"}

    assert saved(desk, target, is_superuser=True, is_active=False).status_code == 403
    assert desk.post(f"{USERS}{target.pk}/password/", **password).status_code == 403

    after = User.objects.get(pk=target.pk)
    assert after.check_password(PASSWORD)
    assert (after.is_superuser, after.is_active) == (target.is_superuser, True)


def test_groups_are_changed_by_superusers_alone(root: Desk) -> None:
    desk = clerk("auth.change_group", "auth.add_group", "auth.delete_group", "auth.view_group")
    group = Group.objects.create(name="clerks")
    desk.user.groups.add(group)
    everything = [permission.pk for permission in Permission.objects.all()]
    form = {"name": "clerks", "permissions": everything}

    assert desk.get("auth/group/").status_code == 200
    assert desk.post(f"auth/group/{group.pk}/change/", **form).status_code == 403
    assert not group.permissions.exists()
    assert root.post(f"auth/group/{group.pk}/change/", **form).status_code == 302
    assert group.permissions.count() == len(everything)


def test_the_group_of_service_accounts_stays(root: Desk) -> None:
    group = Group.objects.get(name="service")

    assert root.post(f"auth/group/{group.pk}/delete/", post="yes").status_code == 403
    root.post("auth/group/", action="delete_selected", _selected_action=[group.pk], post="yes")
    assert root.post(f"auth/group/{group.pk}/change/", name="other").status_code == 302

    assert Group.objects.get(pk=group.pk).name == "service"


def test_the_access_log_is_read_and_searched_and_changed_by_nobody(root: Desk, jane: User) -> None:
    root.text(page_of(jane))
    entry = AccessLogEntry.objects.get()
    path = "accounts/accesslogentry/"

    assert f"user {jane.pk}" in root.text(path, q="JANE")
    assert list(root.get(path, q="root").context["cl"].result_list) == [entry]
    assert not root.get(path, q="nobody").context["cl"].result_list
    assert f"user {jane.pk}" in root.text(f"{path}{entry.pk}/change/")
    for page in ("add/", f"{entry.pk}/change/", f"{entry.pk}/delete/"):
        assert root.post(path + page, what="nothing", post="yes").status_code == 403
    assert AccessLogEntry.objects.get().what == f"user {jane.pk}"


def end(desk: Desk, session: LoginSession) -> Any:
    return desk.post("accounts/loginsession/", action="end", _selected_action=[session.pk])


def test_a_user_is_logged_out_everywhere_through_one_session(root: Desk, jane: User) -> None:
    phone, laptop, other = ApiClient(jane), ApiClient(jane), ApiClient(UserFactory.create())
    session = LoginSession.objects.filter(user=jane)[0]

    assert end(root, session).status_code == 302

    assert phone.get("/users/me").status_code == laptop.get("/users/me").status_code == 401
    assert other.get("/users/me").status_code == 200
    assert LoginSession.objects.get().user_id == other.user_id


def test_ending_sessions_takes_its_permission(jane: User) -> None:
    phone, desk = ApiClient(jane), clerk("accounts.view_loginsession")

    page = desk.text("accounts/loginsession/")
    end(desk, LoginSession.objects.get())

    assert "jane" in page
    assert "Log out the users" not in page
    assert phone.get("/users/me").status_code == 200


@pytest.mark.parametrize("term", ["jd@mail.example", "Jane Doe", " jane  DOE "])
def test_only_who_may_read_personal_data_finds_by_it(jane: User, term: str) -> None:
    def found(desk: Desk, q: str) -> list[User]:
        return list(desk.get(USERS, q=q).context["cl"].result_list)

    blind, sighted = clerk("accounts.view_user"), clerk("accounts.view_user", CLEAR)

    assert (found(blind, term), found(sighted, term)) == ([], [jane])
    assert found(blind, "jane") == found(blind, str(jane.pk)) == [jane]


def test_only_who_may_read_personal_data_sets_passwords(jane: User) -> None:
    rights = ("accounts.view_user", "accounts.change_user")
    blind, sighted = clerk(*rights), clerk(*rights, CLEAR)
    path, new = f"{USERS}{jane.pk}/password/", "another horse battery"

    assert "password/" not in blind.text(page_of(jane))
    assert "password/" in sighted.text(page_of(jane))
    assert blind.get(path).status_code == 403
    assert blind.post(path, password1=new, password2=new).status_code == 403
    assert User.objects.get(pk=jane.pk).check_password(PASSWORD)
    assert sighted.get(path).status_code == 200
