"""Who may undo an import, and what staff's undos leave behind."""

from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP, AccessLogEntry
from tests.client import ApiClient, staff_with
from tests.factories import UserFactory
from tests.imports import csv, imported, present, rows, upload, work
from tests.transactions.imports.undos import ask, undone
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
CANCEL, DELETE = "imports.change_import", "transactions.delete_transaction"


@pytest.fixture(autouse=True)
def _spool(spool_folder: Any) -> None:
    pass


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Transaction.objects.count() == 3


def log() -> list[tuple[int, int, str, str]]:
    return list(AccessLogEntry.objects.values_list("actor", "subject", "what", "route"))


def test_anybody_elses_import_is_not_found(ada: ApiClient, ben: ApiClient) -> None:
    row = imported(ada, rows(3))

    refused(ask(ben, row), 404, "not-found")
    refused(ask(staff_with(DELETE), row), 404, "not-found")
    refused(ask(ApiClient(), row), 401, "not-authenticated")
    assert present(row.pk).status == "done"


def test_staff_need_both_permissions(ada: ApiClient) -> None:
    row = imported(ada, rows(3))

    refused(ask(staff_with(CANCEL), row), 403, "permission-denied")
    assert log() == []
    staff = staff_with(CANCEL, DELETE)

    assert undone(staff, row).rows_undone == 3
    assert staff.user
    assert log() == [(staff.user.pk, ada.user_id, f"undo of import {row.pk}", "api")]


def test_ones_own_is_no_access_to_log(ada: ApiClient) -> None:
    undone(ada, imported(ada, rows(3)))

    assert log() == []


def test_staff_without_the_right_to_delete_undo_their_own(ada: ApiClient) -> None:
    own = staff_with()

    assert undone(own, imported(own, rows(3))).rows_undone == 3


def test_staff_who_have_sent_it_still_need_the_right_to_delete(ada: ApiClient) -> None:
    sender = staff_with("transactions.add_transaction")
    row = imported(sender, rows(3), user_id=ada.user_id)

    refused(ask(sender, row), 403, "permission-denied")
    sender.grant(DELETE)
    assert sender.user
    again = ApiClient(type(sender.user).objects.get(pk=sender.user.pk))
    assert undone(again, row).rows_undone == 3


def test_a_service_undoes_what_it_has_sent_and_nothing_else(ada: ApiClient) -> None:
    service = ApiClient(UserFactory.create())
    assert service.user
    service.user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    sent = upload(service, rows(2), user_id=ada.user_id).json()
    mine, theirs = work(sent["id"], ada.user_id), imported(ada, csv("2026-01-31,9,debit"))

    refused(ask(service, theirs), 404, "not-found")
    assert undone(service, mine).rows_undone == 2
