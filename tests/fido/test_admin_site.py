"""The admin's login: who may log in, the rate limits, and the empty index page."""

from typing import Any

import pytest
from django.test import Client
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from accounts.models import User
from fido.lib.values.limits import Rate
from tests.client import ApiClient
from tests.factories import PASSWORD, StaffFactory, UserFactory
from tests.passwords import QuickArgon2
from tests.staff import Desk, clerk, damage, stored

pytestmark = pytest.mark.django_db
REFUSAL = "Please enter the correct username and password for a staff account."


@pytest.fixture
def sam(db: None) -> User:
    return StaffFactory.create(username="Sam", email="Sam.Smith@Example.org")


def log_in(name: str, password: str = PASSWORD, address: str = "10.0.0.1") -> Any:
    form = {"username": name, "password": password}
    browser = Client(raise_request_exception=False)
    return browser.post("/admin/login/?next=/admin/", form, REMOTE_ADDR=address)


def api_log_in(name: str, password: str, address: str = "10.0.0.1") -> Any:
    body = {"username": name, "password": password}
    return ApiClient().post("/auth/login", body, REMOTE_ADDR=address)


@pytest.mark.parametrize(
    "name", ["Sam", "sam", "SAM", "Sam.Smith@Example.org", "sam.SMITH@EXAMPLE.org"]
)
def test_staff_log_in_with_user_name_or_email_in_any_case(sam: User, name: str) -> None:
    response = log_in(name)

    assert (response.status_code, response.headers["Location"]) == (302, "/admin/")
    assert response.wsgi_request.user == sam


def attempts() -> dict[str, tuple[str, str]]:
    UserFactory.create(username="customer")
    StaffFactory.create(username="gone", is_active=False)
    keyless = StaffFactory.create(username="keyless")
    keyless.set_unusable_password()
    keyless.save()
    return {
        "wrong": ("sam", "not the password"),
        "unknown": ("nobody", PASSWORD),
        "unknown e-mail": ("nobody@example.org", PASSWORD),
        "inactive": ("gone", PASSWORD),
        "has no password": ("keyless", PASSWORD),
        "not staff": ("customer", PASSWORD),
    }


def test_every_failure_looks_alike_and_takes_the_same_work(sam: User) -> None:
    work = {}
    for kind, attempt in attempts().items():
        before = QuickArgon2.computed
        response = log_in(*attempt)
        work[kind] = QuickArgon2.computed - before
        assert response.status_code == 200, kind
        assert REFUSAL in response.content.decode(), kind
        assert "sessionid" not in response.cookies, kind

    assert set(work.values()) == {1}, work


@pytest.mark.parametrize("form", [{}, {"username": "sam"}, {"password": "x"}])
def test_an_incomplete_login_is_refused_in_the_form(sam: User, form: dict[str, str]) -> None:
    response = Client(raise_request_exception=False).post("/admin/login/", form)

    assert response.status_code == 200
    assert "This field is required" in response.content.decode()


@pytest.mark.parametrize("name", ["sam\0", "s" * 10_000, "＠", "a@b@c", "\u202esam"])
def test_a_strange_name_is_refused_in_the_form(sam: User, name: str) -> None:
    response = log_in(name)

    assert response.status_code == 200
    assert "errorlist" in response.content.decode() or REFUSAL in response.content.decode()


def test_failures_at_the_api_close_this_door_too(sam: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(2, 60)
    for _ in range(2):
        assert api_log_in("sam", "not the password").status_code == 401

    response = log_in("SAM")

    assert response.status_code == 429
    assert 1 <= int(response.headers["Retry-After"]) <= 60
    assert "Too many failed logins. Try again in" in response.content.decode()
    assert "sessionid" not in response.cookies


def test_failures_at_this_door_close_the_api_too(sam: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(2, 60)
    for _ in range(2):
        assert log_in("sam", "not the password").status_code == 200

    response = api_log_in("sam", PASSWORD)

    assert response.status_code == 429
    assert api_log_in("someone.else", PASSWORD).status_code == 401


def test_an_address_that_failed_too_often_is_refused_whatever_the_name(
    sam: User, settings: Any
) -> None:
    settings.LOGIN_FAILURES_PER_ADDRESS = Rate(2, 60)
    log_in("one", "wrong")
    api_log_in("two", "wrong")

    assert log_in("sam").status_code == 429
    assert log_in("sam", address="10.0.0.2").status_code == 302


def test_only_failures_count(sam: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(2, 60)

    assert [log_in("sam").status_code for _ in range(5)] == [302] * 5


@pytest.mark.parametrize("door", [log_in, api_log_in])
def test_the_ways_to_write_one_address_share_a_count(sam: User, settings: Any, door: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(2, 60)
    for spelling in ("ｓam.smith@example.org", "SAM.ｓmith@example.org"):
        assert door(spelling, "wrong").status_code in (200, 401)

    assert door("sam.smith@example.org", PASSWORD).status_code == 429


def test_staff_without_any_permission_find_an_empty_site_with_the_way_to_the_api_docs() -> None:
    page = clerk().text("")

    assert "You don’t have permission to view or edit anything." in page
    assert '<a href="/api/docs" id="api-docs">API docs</a>' in page
    assert '<a href="/admin/">Fido</a>' in page


@pytest.mark.parametrize(
    "path",
    [
        "accounts/user/",
        "accounts/accesslogentry/",
        "accounts/loginsession/",
        "transactions/transaction/",
        "analytics/dailytotals/",
        "alerts/alert/",
        "alerts/rule/",
        "alerts/webhookendpoint/",
        "alerts/delivery/",
        "rates/publishedtable/",
        "wallets/wallet/",
        "wallets/balance/",
        "auth/group/",
        "django_celery_beat/periodictask/",
    ],
)
def test_without_its_permission_a_list_is_refused_and_without_staff_there_is_none(
    path: str, ada: ApiClient
) -> None:
    customer = Client(raise_request_exception=False)
    customer.force_login(User.objects.get(pk=ada.user_id))

    assert clerk().get(path).status_code == 403
    assert clerk("accounts.view_personal_data").get(path).status_code == 403
    assert Desk(StaffFactory.create()).get(path).status_code == 200
    assert customer.get(f"/admin/{path}").headers["Location"] == f"/admin/login/?next=/admin/{path}"


def test_a_periodic_task_can_be_switched_off(sam: User) -> None:
    schedule = IntervalSchedule.objects.create(every=60, period="seconds")
    task = PeriodicTask.objects.create(
        name="sweep", task="analytics.sweep_totals", interval=schedule
    )

    response = Desk(sam).post(
        f"django_celery_beat/periodictask/{task.pk}/change/",
        name="sweep",
        regtask="analytics.sweep_totals",
        interval=schedule.pk,
        args="[]",
        kwargs="{}",
        headers="{}",
    )

    assert response.status_code == 302, response.content.decode()
    task.refresh_from_db()
    assert (task.enabled, task.task) == (False, "analytics.sweep_totals")


def test_changing_ones_password_ends_ones_api_tokens_and_keeps_what_cannot_be_read(
    sam: User,
) -> None:
    phone, desk = ApiClient(sam), Desk(sam)
    damage(sam, "full_name")
    new = "another horse battery"

    response = desk.post(
        "password_change/", old_password=PASSWORD, new_password1=new, new_password2=new
    )

    assert response.headers["Location"] == "/admin/password_change/done/"
    assert desk.get("password_change/done/").status_code == 200
    assert phone.get("/users/me").status_code == 401
    assert stored(sam, "full_name") == b"no token"
    assert log_in("sam", new).status_code == 302


def test_the_present_password_cannot_be_guessed_without_end(sam: User, settings: Any) -> None:
    settings.LOGIN_FAILURES_PER_NAME = Rate(2, 60)
    desk, new = Desk(sam), "another horse battery"

    def change(old: str) -> str:
        form = {"old_password": old, "new_password1": new, "new_password2": new}
        return str(desk.post("password_change/", **form).content.decode())

    assert "Your old password was entered incorrectly." in change("one")
    assert "Your old password was entered incorrectly." in change("two")
    assert "Too many failed logins." in change(PASSWORD)
    assert User.objects.get(pk=sam.pk).check_password(PASSWORD)
