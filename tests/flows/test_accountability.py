"""What people do to the records of others is in the access log, and in the log who asked."""

import json
import logging
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from accounts import operations
from accounts.models import SERVICE_GROUP, AccessLogEntry
from tests.client import ApiClient, staff_with
from tests.factories import StaffFactory, UserFactory, record
from transactions import accountability
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
VIEW, NAMES = "transactions.view_transaction", "accounts.view_personal_data"
CHANGE, DELETE = "transactions.change_transaction", "transactions.delete_transaction"


def entries() -> list[AccessLogEntry]:
    return list(AccessLogEntry.objects.order_by("id"))


@pytest.fixture
def hers(ada: ApiClient) -> Transaction:
    assert ada.user
    return record(ada.user, full_name="Eve Secret", description="Very private")


@pytest.fixture
def admin(db: None) -> Client:
    client = Client()
    client.force_login(StaffFactory.create())
    return client


def test_a_change_of_anothers_is_logged_without_what_is_personal(hers: Transaction) -> None:
    staff = staff_with(VIEW, CHANGE)
    path = f"/transactions/{hers.pk}"
    changes = {"transaction_amount": "12.50", "full_name": "Mallory", "category": "food"}

    answer = staff.request(
        "patch", path, changes, REMOTE_ADDR="192.0.2.7", HTTP_X_REQUEST_ID="the-request"
    )

    assert answer.status_code == 200
    (entry,) = entries()
    assert (entry.actor_id, entry.subject_id) == (staff.user_id, hers.user_id)
    assert (entry.what, entry.route) == (f"change of transaction {hers.pk}", "api")
    assert entry.details == {
        "transaction_amount": ["10", "12.5"],
        "full_name": "changed",
        "category": [None, "food"],
    }
    assert (entry.address, entry.request_id) == ("192.0.2.7", "the-request")


def test_a_deletion_of_anothers_is_logged_with_what_is_gone(hers: Transaction) -> None:
    staff = staff_with(VIEW, DELETE)

    assert staff.delete(f"/transactions/{hers.pk}").status_code == 204

    (entry,) = entries()
    assert entry.what == f"deletion of transaction {hers.pk}"
    assert entry.details == {
        "transaction_date": "2026-01-31T12:00:00Z",
        "transaction_amount": "10",
        "transaction_type": "credit",
        "currency": "USD",
        "external_id": None,
        "wallet_id": None,
        "category": None,
    }


def test_a_service_is_no_exception(ada: ApiClient) -> None:
    service = ApiClient(UserFactory.create())
    assert service.user
    service.user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    body = {
        "user_id": ada.user_id,
        "transaction_amount": "1",
        "transaction_type": "credit",
        "transaction_date": "2026-01-31",
    }
    path = f"/transactions/{service.post('/transactions', body).json()['id']}"

    service.patch(path, {"category": "x"})
    service.delete(path)

    assert [entry.what.partition(" ")[0] for entry in entries()] == ["change", "deletion"]


def test_what_is_refused_is_not_logged_as_done(hers: Transaction) -> None:
    staff = staff_with(VIEW, CHANGE, DELETE)
    path, stale = f"/transactions/{hers.pk}", {"HTTP_IF_MATCH": '"stale"'}

    assert staff.request("patch", path, {"category": "x"}, **stale).status_code == 412
    assert staff.request("delete", path, **stale).status_code == 412
    assert staff.patch(path, {"transaction_amount": "0"}).status_code == 400
    assert entries() == []


def test_no_entry_no_change(hers: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(accountability, "log_access", broken)
    staff = staff_with(VIEW, CHANGE, DELETE)
    path = f"/transactions/{hers.pk}"

    assert staff.patch(path, {"category": "x"}).status_code == 500
    assert staff.delete(path).status_code == 500
    assert Transaction.objects.get().category is None


def test_what_is_ones_own_is_not_logged(ada: ApiClient, hers: Transaction) -> None:
    path = f"/transactions/{hers.pk}"

    assert ada.patch(path, {"category": "x"}).status_code == 200
    assert ada.get("/transactions", full_name="Eve Secret").json()["results"]
    assert ada.delete(path).status_code == 204
    assert entries() == []


SEARCHES = ["/transactions", "/transactions/export", "/transactions/analytics"]


@pytest.mark.parametrize("path", SEARCHES)
def test_a_search_by_name_is_logged_with_a_digest(hers: Transaction, path: str) -> None:
    staff = staff_with(VIEW, NAMES)

    for name in ("Eve Secret", " EVE  sécret ", "Somebody Else"):
        answer = staff.get(path, full_name=name)
        assert answer.status_code == 200
        answer.getvalue()  # an export ends with its last byte

    first, same, other = (entry.details["searched"] for entry in entries())
    assert first == same != other
    assert len(first) == 64
    assert {entry.what for entry in entries()} == {"search of transactions by name"}
    assert {entry.subject_id for entry in entries()} == {None}
    assert "secret" not in json.dumps([entry.details for entry in entries()]).casefold()


def test_a_search_in_one_persons_records_names_the_person(hers: Transaction) -> None:
    staff = staff_with(VIEW, NAMES)

    staff.get("/transactions", full_name="Eve Secret", user_id=hers.user_id)

    assert [entry.subject_id for entry in entries()] == [hers.user_id]


@pytest.mark.parametrize(
    ("model", "what"),
    [
        ("accounts/user", "search of users by name or address"),
        ("transactions/transaction", "search of transactions by name"),
    ],
)
def test_a_search_in_the_admin_is_logged(
    admin: Client, hers: Transaction, model: str, what: str
) -> None:
    page = f"/admin/{model}/?{urlencode({'q': 'Eve Secret'})}"

    assert admin.get(page, REMOTE_ADDR="192.0.2.9").status_code == 200

    assert {(each.what, each.route, each.address) for each in entries()} == {
        (what, "admin", "192.0.2.9")
    }


def test_a_password_that_staff_set_is_logged_and_a_refused_one_is_not(
    admin: Client, hers: Transaction
) -> None:
    page, new = f"/admin/accounts/user/{hers.user_id}/password/", "another horse battery"

    assert admin.post(page, {"password1": new, "password2": "other"}).status_code == 200
    assert entries() == []
    assert admin.post(page, {"password1": new, "password2": new}).status_code == 302

    (entry,) = entries()
    assert (entry.subject_id, entry.what, entry.route) == (hers.user_id, "password set", "admin")


def test_no_entry_no_password(
    admin: Client, hers: Transaction, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(**kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(operations, "log_access", broken)
    page, new = f"/admin/accounts/user/{hers.user_id}/password/", "another horse battery"
    before = hers.user.password

    with pytest.raises(RuntimeError):
        admin.post(page, {"password1": new, "password2": new})

    hers.user.refresh_from_db()
    assert hers.user.password == before


def test_whoever_may_not_open_names_searches_for_none(hers: Transaction) -> None:
    client = Client()
    staff = UserFactory.create(is_staff=True)
    ApiClient(staff).grant("accounts.view_user", VIEW)
    client.force_login(staff)

    for model in ("accounts/user", "transactions/transaction"):
        page = client.get(f"/admin/{model}/?{urlencode({'q': 'Eve Secret'})}")
        assert page.context["cl"].result_count == 0
    assert entries() == []


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.msg for record in caplog.records if record.name == "fido.request"]  # type: ignore[misc]


def test_the_log_tells_who_asked_and_from_where(
    ada: ApiClient, anybody: ApiClient, admin: Client, caplog: pytest.LogCaptureFixture
) -> None:
    here: Any = {"REMOTE_ADDR": "192.0.2.1"}
    with caplog.at_level(logging.INFO):
        ada.request("get", "/users/me", **here)
        anybody.request("get", "/users/me", **here)
        admin.get("/admin/", **here)
        ada.request("post", "/transactions", {}, **here)

    staff = StaffFactory._meta.model.objects.get(is_superuser=True).pk
    told = [(line["actor"], line["address"], line["status"]) for line in lines(caplog)]
    assert told == [
        (ada.user_id, "192.0.2.1", 200),
        (None, "192.0.2.1", 401),
        (staff, "192.0.2.1", 200),
        (ada.user_id, "192.0.2.1", 400),
    ]
