"""Admin pages about imports: read-only, and one form that streams a file in."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.imports import csv, imported, upload, work
from tests.staff import Desk, clerk
from tests.transactions.statements.files import content
from transactions.imports import operations
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
LIST, FORM = "imports/import/", "imports/import/add/"
RECORD, VIEW, CHANGE = (
    "transactions.add_transaction",
    "imports.view_import",
    "imports.change_import",
)
ROWS = csv("2026-01-31,1.50,credit", "x,1,debit", "2026-01-31,1,debit")


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def page_of(row: Import) -> str:
    return f"{LIST}{row.pk}/change/"


def send(desk: Desk, user_id: Any, content: bytes = ROWS, name: str = "rows.csv") -> Any:
    return desk.post(FORM, user_id=user_id, file=SimpleUploadedFile(name, content))


def refused(answer: Any, status: int, *sentences: str) -> str:
    """The form again, with the reason."""
    page = str(answer.content.decode())
    assert answer.status_code == status, page
    assert 'id="import_form"' in page
    for sentence in sentences:
        assert sentence in page
    return page


def nothing_left(folder: Path) -> bool:
    files = list(folder.iterdir()) if folder.is_dir() else []
    return not (files or Import.objects.exists() or LogEntry.objects.exists())


# --- the form ---


def test_a_file_becomes_transactions_of_the_user_who_is_named(root: Desk, jane: User) -> None:
    answer = send(root, jane.pk)

    row = Import.objects.get()
    assert answer.headers["Location"] == f"/admin/{page_of(row)}"
    assert f"Import {row.pk} is queued." in root.text(page_of(row))
    assert (row.user, row.created_by, row.status) == (jane, root.user, "queued")
    assert work(row.pk, jane.pk).rows_created == 2
    assert set(Transaction.objects.values_list("user_id", flat=True)) == {jane.pk}
    journal = LogEntry.objects.values_list("user", "object_id", "object_repr").get()
    assert journal == (root.user.pk, str(row.pk), str(row.pk))


def test_a_file_of_any_size_goes_past_the_bound_of_forms(root: Desk, jane: User) -> None:
    """8 MB: more than Django keeps in memory, and than any other form may have."""
    rows = ROWS + b"2026-01-31,1.50,credit\r\n" * 350_000

    assert send(root, jane.pk, rows).status_code == 302

    assert Import.objects.get().size_bytes == len(rows)


def test_other_forms_stay_bounded_and_so_is_this_one(
    root: Desk, jane: User, folder: Path, settings: Any
) -> None:
    settings.IMPORT_MAX_BYTES = 3_000_000
    big = b"x\n" * 1_600_000
    for page in (LIST, "accounts/user/add/", "nowhere/"):
        answer = root.post(page, file=SimpleUploadedFile("rows.csv", big))
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")

    refused(send(root, jane.pk, big), 413, "This route takes at most 3,065,536 bytes.")

    assert nothing_left(folder)


def test_a_file_a_byte_too_large_is_said_to_be_so(
    root: Desk, jane: User, folder: Path, settings: Any
) -> None:
    settings.IMPORT_MAX_BYTES = len(ROWS) - 1

    refused(send(root, jane.pk), 413, f"At most {len(ROWS) - 1:,} bytes.")

    assert nothing_left(folder)


CONTENTS = {
    b"": "The file is empty.",
    b"PK\x03\x04" + bytes(100_000): "The compressed file is damaged or incomplete",
    ROWS + b"\xff" + ROWS * 10_000: "The file is not text in UTF-8.",
}


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: ascii(content[:12]))
def test_why_a_file_was_refused_is_said_and_the_user_stays_filled_in(
    root: Desk, jane: User, folder: Path, content: bytes
) -> None:
    page = refused(send(root, jane.pk, content), 400, CONTENTS[content])

    assert f'value="{jane.pk}"' in page
    assert "Jane Doe" not in page
    assert nothing_left(folder)


@pytest.mark.parametrize(
    ("user_id", "sentence"),
    [
        ("", "This field is required."),
        ("jane", "There is no such user, or more than one."),
        (0, "There is no such user, or more than one."),
        (2**63, "There is no such user, or more than one."),
        (2**62, "There is no such user, or more than one."),
        ("\0", "Null characters are not allowed."),
    ],
)
def test_an_unknown_or_malformed_user_is_reported(
    root: Desk, folder: Path, user_id: Any, sentence: str
) -> None:
    refused(send(root, user_id), 400, sentence)

    assert nothing_left(folder)


@pytest.mark.parametrize(
    "form", [{}, {"user_id": 1}, {"user_id": 1, "file": "text"}, {"user_id": [1, 1]}]
)
def test_a_form_without_its_file_is_refused(root: Desk, folder: Path, form: dict[str, Any]) -> None:
    refused(root.post(FORM, **form), 400, "Send one file in this field.")

    assert nothing_left(folder)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_multipart_is_refused(
    root: Desk, folder: Path, content_type: str
) -> None:
    answer = root._browser.generic("POST", f"/admin/{FORM}", b"user_id=1", content_type)

    refused(answer, 400, "The form cannot be read.")
    assert nothing_left(folder)


def test_a_body_that_broke_off_imports_no_half(root: Desk, jane: User, folder: Path) -> None:
    body = (
        b'--b\r\nContent-Disposition: form-data; name="user_id"\r\n\r\n%d\r\n'
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n%b\r\n--b'
    ) % (jane.pk, ROWS)

    answer = root._browser.generic(
        "POST", f"/admin/{FORM}", body, "multipart/form-data; boundary=b"
    )

    refused(answer, 400, "The body is incomplete.")
    assert nothing_left(folder)


def test_a_full_disk_is_said_to_be_one(root: Desk, jane: User, folder: Path) -> None:
    folder.write_text("in the way")

    refused(send(root, jane.pk), 503, "There is temporarily no room for the file.")


def test_of_too_many_at_once_the_last_is_refused(root: Desk, jane: User, folder: Path) -> None:
    for _ in range(operations.MAX_UNFINISHED):
        assert send(root, jane.pk).status_code == 302

    refused(send(root, jane.pk), 409, "A user may have at most 5 unfinished imports.")

    assert len(list(folder.iterdir())) == Import.objects.count() == operations.MAX_UNFINISHED


def browser_of(user: User) -> Client:
    browser = Client(raise_request_exception=False, enforce_csrf_checks=True)
    browser.force_login(user)
    return browser


def test_without_the_forms_token_nothing_is_imported(root: Desk, jane: User, folder: Path) -> None:
    browser = browser_of(root.user)
    page = browser.get(f"/admin/{FORM}").content.decode()
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[-1]

    def sent(**fields: Any) -> Any:
        file = SimpleUploadedFile("rows.csv", ROWS)
        return browser.post(f"/admin/{FORM}", {**fields, "user_id": jane.pk, "file": file})

    for forged in ({}, {"csrfmiddlewaretoken": "x"}, {"csrfmiddlewaretoken": token[::-1]}):
        assert sent(**forged).status_code == 403
        assert nothing_left(folder)
    assert sent(csrfmiddlewaretoken=token).status_code == 302
    assert Import.objects.get().user == jane


# --- permissions ---


def test_without_the_permission_to_record_nothing_of_a_file_is_read(
    jane: User, folder: Path
) -> None:
    for desk in (clerk(), clerk(VIEW, CHANGE, "imports.add_import")):
        assert desk.get(FORM).status_code == 403
        assert send(desk, jane.pk).status_code == 403
        assert "Import a file" not in desk.get(LIST).content.decode()

    assert not folder.exists()


def test_a_customer_has_no_form(ada: ApiClient, jane: User, folder: Path) -> None:
    ada.grant(RECORD)
    assert ada.user

    answer = send(Desk(ada.user), jane.pk)

    assert answer.headers["Location"].startswith("/admin/login/")
    assert not folder.exists()


def test_whoever_may_only_record_finds_the_form_and_stays_there(jane: User) -> None:
    desk = clerk(RECORD)

    assert f'href="/admin/{FORM}"' in desk.text("")
    answer = send(desk, jane.pk)

    assert answer.headers["Location"] == f"/admin/{FORM}"
    assert "is queued" in desk.text(FORM)
    assert desk.get(LIST).status_code == 403
    assert desk.get(page_of(Import.objects.get())).status_code == 403


def test_the_index_lists_the_apps_as_before(root: Desk) -> None:
    apps = [app["name"] for app in root.get("").context["app_list"]]

    assert apps == [
        "Accounts",
        "Alerts",
        "Analytics",
        "Authentication and Authorization",
        "Checks",
        "Imports",
        "Periodic Tasks",
        "Rates",
        "Transactions",
        "Wallets",
    ]


# --- list and record ---


def test_the_list_is_filtered_by_status_and_searched_by_user_or_id(
    root: Desk, ada: ApiClient, jane: User
) -> None:
    done = imported(ada, ROWS)
    send(root, jane.pk)
    waiting = Import.objects.get(status="queued")

    def found(**parameters: Any) -> list[Import]:
        return list(root.get(LIST, **parameters).context["cl"].result_list)

    assert found() == [waiting, done]
    assert found(status__exact="done") == [done]
    assert found(q="jane") == found(q=str(jane.pk)) == found(q="root") == [waiting]
    assert found(q=str(done.pk)) == [done]
    assert found(q="nobody") == found(q=str(new_id())) == []


def test_a_list_of_many_costs_as_many_queries_as_a_list_of_one_and_reads_no_errors(
    root: Desk, ada: ApiClient
) -> None:
    imported(ada, ROWS)
    with CaptureQueriesContext(connection) as few:
        root.text(LIST)
    for _ in range(4):
        upload(ada, ROWS)
    with CaptureQueriesContext(connection) as many:
        page = root.text(LIST)

    assert page.count('class="field-status"') == 5
    assert len(many) == len(few)
    assert not any('"imports_import"."errors"' in query["sql"] for query in many)


def test_a_record_shows_its_errors_as_a_table_and_cannot_be_changed(
    root: Desk, ada: ApiClient
) -> None:
    row = imported(ada, ROWS)

    page = root.text(page_of(row))

    assert "<tr><td>3<td>transaction_date<td>invalid<td>Use an ISO 8601 date or time" in page
    assert "CSV" in page
    assert "Cancel this import" not in page
    assert 'name="_save"' not in page
    for where in (page_of(row), f"{LIST}{row.pk}/delete/"):
        assert root.post(where, status="queued", post="yes").status_code == 403
    assert Import.objects.get().status == "done"


def test_a_record_tells_what_a_banks_file_lacks(root: Desk, jane: User) -> None:
    send(root, jane.pk, content("camt/camt053.v2.five.decimals.xml"))
    row = Import.objects.get()
    work(row.pk, jane.pk)

    page = root.text(page_of(row))

    assert "its closing balance is 0.05 EUR away from its opening balance" in page
    assert "CAMT" in page


def test_a_record_of_nothing_leads_back(root: Desk) -> None:
    answer = root.get(f"{LIST}{new_id()}/change/")

    assert answer.headers["Location"] == "/admin/"


def cancel(desk: Desk, *rows: Import) -> Any:
    return desk.post(LIST, action="cancel", _selected_action=[row.pk for row in rows])


def test_what_is_under_way_is_cancelled_and_what_has_ended_is_left(
    root: Desk, ada: ApiClient, folder: Path
) -> None:
    done = imported(ada, ROWS)
    upload(ada, ROWS)
    waiting = Import.objects.get(status="queued")
    page = root.text(page_of(waiting))
    assert "Cancel this import" in page
    assert f'name="_selected_action" value="{waiting.pk}"' in page

    assert cancel(root, waiting, done).status_code == 302

    listed = root.text(LIST)
    assert "Cancelled: 1." in listed
    assert "Already ended: 1." in listed
    assert set(Import.objects.values_list("pk", "status")) == {
        (done.pk, "done"),
        (waiting.pk, "cancelled"),
    }
    assert list(folder.iterdir()) == []
    assert LogEntry.objects.get().object_id == str(waiting.pk)


def test_cancelling_takes_its_permission(ada: ApiClient) -> None:
    upload(ada, ROWS)
    row = Import.objects.get()
    viewer, changer = clerk(VIEW), clerk(CHANGE)

    cancel(viewer, row)
    assert "Cancel" not in viewer.text(page_of(row))
    assert Import.objects.get().status == "queued"
    cancel(changer, row)

    assert Import.objects.get().status == "cancelled"
