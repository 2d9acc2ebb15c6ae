"""Admin pages about users: what is masked, what is logged, who may change what."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import AccessLogEntry, LoginSession, User
from tests.client import ApiClient
from tests.factories import PASSWORD, StaffFactory, UserFactory
from tests.races import at_once
from tests.staff import HIDDEN, Desk, clerk, damage, page_of, refuse_entries, saved, stored

pytestmark = pytest.mark.django_db
USERS = "accounts/user/"
CLEAR = "accounts.view_personal_data"
NEW = {"username": "newcomer", "email": "new@example.org", "password1": PASSWORD}


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(StaffFactory.create(username="root", full_name="Rooty Root"))


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane", full_name="Jane Doe", email="jd@mail.example")


# --- reading ---


def test_the_list_masks_names_and_addresses(root: Desk, jane: User) -> None:
    page = root.text(USERS)

    assert f"J{HIDDEN} D{HIDDEN}" in page
    assert f"j{HIDDEN}@{HIDDEN}.example" in page
    assert "Jane Doe" not in page
    assert "jd@mail" not in page
    assert not AccessLogEntry.objects.exists()


def test_a_damaged_name_is_reported_and_affects_no_other_row(root: Desk, jane: User) -> None:
    UserFactory.create(username="ken", full_name="Ken Adams")
    damage(jane, "full_name")

    page, opened = root.text(USERS), root.text(page_of(jane))

    assert page.count("cannot be read") == 1
    assert f"K{HIDDEN} A{HIDDEN}" in page
    assert "The stored value cannot be read." in opened
    assert "jd@mail.example" in opened


@pytest.mark.parametrize(
    ("term", "found"),
    [
        ("ja", ["jane", "Janet"]),
        ("JANE", ["jane", "Janet"]),
        ("JD@Mail.example", ["jane"]),
        ("jd@mail", []),
        ("jane DOE", ["jane"]),
        ("Jane", ["jane", "Janet"]),
        ("Doe", []),
        ("\0", ["root", "jane", "Janet"]),
        ("%", []),
    ],
)
def test_users_are_found_by_how_a_user_name_begins_or_by_a_whole_name_or_address(
    root: Desk, jane: User, term: str, found: list[str]
) -> None:
    UserFactory.create(username="Janet", full_name="Janet Roe")

    response = root.get(USERS, q=term)

    assert [user.username for user in response.context["cl"].result_list] == found


def test_users_are_found_by_id(root: Desk, jane: User) -> None:
    response = root.get(USERS, q=str(jane.pk))

    assert list(response.context["cl"].result_list) == [jane]
    for outside in ("9" * 19, "9" * 300):
        assert root.get(USERS, q=outside).status_code == 200


@pytest.mark.parametrize("parameter", ["email", "full_name__contains", "groups__id__exact", "zz"])
def test_a_filter_that_cannot_be_answered_leads_back_to_the_list(
    root: Desk, parameter: str
) -> None:
    assert root.get(USERS, **{parameter: "x"}).headers["Location"].endswith("?e=1")


def test_opening_a_record_shows_it_in_clear_and_is_written_down(jane: User) -> None:
    desk = clerk("accounts.view_user", CLEAR)

    page = desk.text(page_of(jane))

    assert "Jane Doe" in page
    assert "jd@mail.example" in page
    entry = AccessLogEntry.objects.get()
    assert (entry.actor, entry.subject, entry.route) == (desk.user, jane, "admin")
    assert entry.what == f"user {jane.pk}"


def test_a_record_that_cannot_be_written_down_is_not_shown(root: Desk, jane: User) -> None:
    refuse_entries()

    response = root.get(page_of(jane))

    assert response.status_code == 500
    assert b"Jane" not in response.content
    assert b"mail.example" not in response.content


def test_without_the_permission_a_record_is_masked_and_takes_no_new_name(jane: User) -> None:
    desk = clerk("accounts.change_user")

    page = desk.text(page_of(jane))
    response = saved(desk, jane, full_name="Somebody Else", email="e@example.org", currency="EUR")

    assert f"J{HIDDEN} D{HIDDEN}" in page
    assert "Jane Doe" not in page
    assert "jd@mail" not in page
    assert response.status_code == 302
    jane.refresh_from_db()
    assert (jane.full_name, jane.email, jane.currency) == ("Jane Doe", "jd@mail.example", "EUR")
    assert not AccessLogEntry.objects.exists()


@pytest.mark.parametrize("page", ["history/", "password/"])
def test_other_pages_of_a_user_show_no_name(root: Desk, jane: User, page: str) -> None:
    text = root.text(f"{USERS}{jane.pk}/{page}")

    assert "jane" in text
    assert "Jane Doe" not in text
    assert "jd@mail" not in text


def test_a_refused_form_shows_the_name_again_and_is_written_down_again(
    root: Desk, jane: User
) -> None:
    response = saved(root, jane, currency="XXX")

    assert "Not an ISO 4217 currency." in response.content.decode()
    assert AccessLogEntry.objects.get().subject == jane
    jane.refresh_from_db()
    assert jane.currency == "USD"


def test_a_list_of_a_hundred_costs_as_many_queries_as_a_list_of_one(root: Desk, jane: User) -> None:
    with CaptureQueriesContext(connection) as few:
        root.text(USERS)
    UserFactory.create_batch(99)
    with CaptureQueriesContext(connection) as many:
        page = root.text(USERS)

    assert page.count('class="field-masked_email"') == 100
    assert len(many) <= len(few) <= 6


# --- adding ---


def test_an_added_user_can_log_in_and_the_journal_holds_no_name(root: Desk) -> None:
    response = root.post(f"{USERS}add/", **NEW, password2=PASSWORD, full_name="New Comer")

    user = User.objects.get(username="newcomer")
    assert response.headers["Location"] == f"/admin/{page_of(user)}"
    assert (user.email, user.full_name) == ("new@example.org", "New Comer")
    assert (user.is_staff, user.is_superuser) == (False, False)
    login = ApiClient().post("/auth/login", {"username": "new@example.org", "password": PASSWORD})
    assert login.status_code == 200
    journal = LogEntry.objects.values_list("object_id", "object_repr", "change_message").get()
    assert journal == (str(user.pk), "newcomer", '[{"added": {}}]')


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("username", "JANE", "This user name is taken."),
        ("username", "jane doe", "Letters, digits and . _ + - only."),
        ("email", "JD@mail.example", "This e-mail address is taken."),
        ("email", "nowhere", "Enter a valid email address."),
        ("password2", "other", "The two password fields didn’t match."),
        ("full_name", "x" * 201, "Ensure this value has at most 200 characters"),
    ],
)
def test_what_cannot_be_added_is_said_in_the_form(
    root: Desk, jane: User, field: str, value: str, message: str
) -> None:
    response = root.post(f"{USERS}add/", **{**NEW, "password2": PASSWORD, field: value})

    assert response.status_code == 200
    assert message in response.content.decode()
    assert User.objects.count() == 2


def test_a_weak_password_is_refused(root: Desk) -> None:
    response = root.post(f"{USERS}add/", **{**NEW, "password1": "1234", "password2": "1234"})

    assert "This password is too common." in response.content.decode()
    assert not User.objects.filter(username="newcomer").exists()


@pytest.mark.django_db(transaction=True)
def test_of_four_who_give_one_address_to_a_new_user_at_once_one_succeeds() -> None:
    desks = [Desk(StaffFactory.create()) for _ in range(4)]

    def add(number: int) -> int:
        form = {**NEW, "username": f"newcomer{number}", "password2": PASSWORD}
        return int(desks[number].post(f"{USERS}add/", **form).status_code)

    statuses = at_once(*(lambda n=n: add(n) for n in range(4)))

    assert set(statuses) <= {200, 302}
    assert User.objects.get_queryset().with_email("new@example.org").count() == 1


# --- changing ---


def test_a_changed_name_and_address_are_found_by_and_the_journal_names_the_fields_only(
    root: Desk, jane: User
) -> None:
    assert saved(root, jane, full_name="Jane Roe", email="jr@mail.example").status_code == 302

    assert User.objects.get_queryset().with_email("jr@mail.example").get() == jane
    assert list(root.get(USERS, q="jane roe").context["cl"].result_list) == [jane]
    assert not root.get(USERS, q="jane doe").context["cl"].result_list
    journal = LogEntry.objects.get()
    assert journal.object_repr == "jane"
    fields = json.loads(journal.change_message)[0]["changed"]["fields"]
    assert sorted(fields) == ["E-mail address", "Full name"]


def test_a_name_that_cannot_be_read_survives_a_change_of_something_else(
    root: Desk, jane: User
) -> None:
    index = stored(jane, "full_name_index")
    damage(jane, "full_name")
    damage(jane, "email")

    response = saved(root, jane, full_name="", email="", currency="EUR", is_staff=True)

    assert response.status_code == 302
    assert stored(jane, "full_name") == stored(jane, "email") == b"no token"
    assert stored(jane, "full_name_index") == index
    jane.refresh_from_db()
    assert (jane.currency, jane.is_staff) == ("EUR", True)


def test_a_name_can_be_removed_and_an_address_only_replaced(root: Desk, jane: User) -> None:
    refused = saved(root, jane, email="")
    accepted = saved(root, jane, full_name="")

    assert "An address can be replaced, not removed." in refused.content.decode()
    assert accepted.status_code == 302
    after = User.objects.values("full_name", "full_name_index", "email").get(pk=jane.pk)
    assert list(after.values()) == [None, None, "jd@mail.example"]


def test_the_address_of_somebody_else_is_refused(root: Desk, jane: User) -> None:
    response = saved(root, jane, email="ROOT@example.org")

    assert "This e-mail address is taken." in response.content.decode()
    jane.refresh_from_db()
    assert jane.email == "jd@mail.example"


def test_deactivation_ends_tokens_at_once(root: Desk, jane: User) -> None:
    phone = ApiClient(jane)
    assert phone.tokens
    assert phone.get("/users/me").status_code == 200

    assert saved(root, jane, is_active=False).status_code == 302

    assert phone.get("/users/me").status_code == 401
    refresh = {"refresh_token": phone.tokens.refresh_token}
    assert ApiClient().post("/auth/refresh", refresh).status_code == 401


def test_whoever_is_let_in_again_has_to_log_in_again(root: Desk, jane: User) -> None:
    phone = ApiClient(jane)
    saved(root, jane, is_active=False)

    saved(root, jane, is_active=True)

    assert phone.get("/users/me").status_code == 401
    assert ApiClient(User.objects.get(pk=jane.pk)).get("/users/me").status_code == 200
    assert LoginSession.objects.filter(user=jane).count() == 1


def test_deactivation_ends_a_colleagues_session_here_at_once(root: Desk) -> None:
    colleague = clerk("accounts.view_user")
    assert colleague.get(USERS).status_code == 200

    saved(root, colleague.user, is_active=False)

    assert colleague.get(USERS).headers["Location"].startswith("/admin/login/")


def test_a_password_set_by_staff_ends_tokens_and_keeps_what_cannot_be_read(
    root: Desk, jane: User
) -> None:
    phone, new = ApiClient(jane), "another horse battery"
    damage(jane, "full_name")

    response = root.post(f"{USERS}{jane.pk}/password/", password1=new, password2=new)

    assert response.headers["Location"] == f"/admin/{page_of(jane)}"
    assert phone.get("/users/me").status_code == 401
    assert stored(jane, "full_name") == b"no token"
    login = ApiClient().post("/auth/login", {"username": "jane", "password": new})
    assert login.status_code == 200


def test_a_superuser_makes_a_service_account(root: Desk, jane: User) -> None:
    group = Group.objects.get(name="service")

    assert saved(root, jane, groups=[group.pk]).status_code == 302

    assert User.objects.get(pk=jane.pk).is_service
