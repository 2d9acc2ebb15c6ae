"""Staff undo imports on the admin's pages, which ask first."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from accounts.models import AccessLogEntry
from tests.client import ApiClient
from tests.imports import imported, present, rows, submitted, work
from tests.staff import Desk, clerk
from tests.transactions.imports.undos import undone
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
LIST = "imports/import/"
VIEW, CANCEL = "imports.view_import", "imports.change_import"
DELETE = "transactions.delete_transaction"
BUTTON = "Undo this import"


@pytest.fixture(autouse=True)
def _spool(spool_folder: Any) -> None:
    pass


def page_of(row: Import) -> str:
    return f"{LIST}{row.pk}/change/"


def press(desk: Desk, *imports: Import, **form: str) -> Any:
    return desk.post(LIST, action="undo", _selected_action=[row.pk for row in imports], **form)


def test_the_button_asks_and_tells_what_will_happen(root: Desk, ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    assert BUTTON in root.text(page_of(row))

    page = press(root, row).content.decode()

    assert "deletes the transactions that these imports created, at most 3" in page
    assert f"{row.pk} of" in page
    assert 'name="confirmed"' in page
    assert (present(row.pk).status, Transaction.objects.count()) == ("done", 3)
    assert not LogEntry.objects.exists()


def test_once_confirmed_it_is_undone_and_logged(root: Desk, ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    Transaction.objects.filter(transaction_amount=2).update(version=2)

    assert press(root, row, confirmed="yes").status_code == 302

    assert f"Import {row.pk} is being undone." in root.text(page_of(row))
    assert BUTTON not in root.text(page_of(row))
    assert work(row.pk, row.user_id).rows_undone == 2
    page, left = root.text(page_of(row)), Transaction.objects.get()
    assert f"<td>{left.pk}<td>changed" in page
    assert BUTTON in page
    again = press(root, row).content.decode()
    assert "these imports created, at most 1" in again
    assert "3 created, 2 of them undone" in again
    assert "undone" in page
    entry = LogEntry.objects.get()
    assert (entry.user_id, entry.object_id) == (root.user.pk, str(row.pk))
    assert entry.get_change_message() == "Undone."
    accesses = AccessLogEntry.objects.values_list("actor", "subject", "what", "route")
    what = f"undo of import {row.pk}"
    assert list(accesses) == [(root.user.pk, ada.user_id, what, "admin")]


def test_when_nothing_is_left_there_is_no_button(root: Desk, ada: ApiClient) -> None:
    assert BUTTON not in root.text(page_of(undone(ada, imported(ada, rows(3)))))


def test_several_at_once_and_those_that_cannot_be_say_why(root: Desk, ada: ApiClient) -> None:
    done, queued = imported(ada, rows(3)), submitted(ada, rows(1))

    press(root, done, queued, confirmed="yes")

    page = root.text(LIST)
    assert f"Import {done.pk} is being undone." in page
    said = f"Import {queued.pk} stays as it is: The import has not ended: cancel it first."
    assert said in page
    assert (present(done.pk).status, present(queued.pk).status) == ("undoing", "queued")
    assert LogEntry.objects.count() == 1


@pytest.mark.parametrize("held", [(VIEW, CANCEL), (VIEW, DELETE), (VIEW,)])
def test_without_both_permissions_there_is_no_button_and_no_action(
    ada: ApiClient, held: tuple[str, ...]
) -> None:
    row, desk = imported(ada, rows(3)), clerk(*held)

    assert BUTTON not in desk.text(page_of(row))
    press(desk, row, confirmed="yes")

    assert (present(row.pk).status, Transaction.objects.count()) == ("done", 3)


def test_with_both_permissions_it_is_done(ada: ApiClient) -> None:
    row, desk = imported(ada, rows(3)), clerk(VIEW, CANCEL, DELETE)

    assert BUTTON in desk.text(page_of(row))
    press(desk, row, confirmed="yes")

    assert present(row.pk).status == "undoing"
