"""Who may import for whom, who may see and cancel an import, and which forms are refused."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import MULTIPART_CONTENT

from fido.lib.values.errors import PreconditionFailed
from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.flows.refusals import invalid, refused
from tests.imports import claimed, csv, faults, imported, submitted, upload, work
from transactions.imports import operations
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
FILE = csv("2026-01-31,1.50,credit")


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


@pytest.fixture
def clerk(db: None) -> ApiClient:
    """Staff without any permission."""
    return ApiClient(UserFactory.create(is_staff=True))


@pytest.fixture
def bank(db: None) -> ApiClient:
    client = ApiClient(UserFactory.create(username="bank"))
    assert client.user
    client.user.groups.add(Group.objects.get_or_create(name="service")[0])
    return client


def nothing_left(folder: Path) -> bool:
    files = list(folder.iterdir()) if folder.is_dir() else []
    return not (files or Import.objects.exists() or Transaction.objects.exists())


def path_of(answer: Any) -> str:
    assert answer.status_code == 202, answer.content
    return f"/imports/{answer.json()['id']}"


def test_an_upload_is_answered_with_where_to_ask(ada: ApiClient, folder: Path) -> None:
    answer = upload(ada, FILE)

    body = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"http://testserver/api/v1/imports/{body['id']}"
    created_at = body.pop("created_at")
    assert body == {
        "id": body["id"],
        "user_id": ada.user_id,
        "status": "queued",
        "format": "csv",
        "mapping": None,
        "guessed": False,
        "by_user": False,
        "size_bytes": len(FILE),
        "rows_read": 0,
        "rows_created": 0,
        "rows_refused": 0,
        "rows_pending": 0,
        "rows_undone": 0,
        "rows_kept": 0,
        "errors": [],
        "warnings": [],
        "kept": [],
        "failure": None,
        "failure_detail": None,
        "finished_at": None,
    }
    assert created_at.endswith("Z")
    assert [path.name for path in folder.iterdir()] == [f"{body['id']}.spool"]


def test_it_is_asked_for_until_it_is_done_and_its_file_is_gone(
    ada: ApiClient, folder: Path
) -> None:
    path = path_of(upload(ada, csv("2026-01-31,1.50,credit", "x,1,debit")))
    assert ada.get(path).json()["status"] == "queued"

    work(path.rpartition("/")[2], ada.user_id)

    body = ada.get(path).json()
    counts = (body["rows_read"], body["rows_created"], body["rows_refused"])
    assert (body["status"], *counts) == ("done", 2, 1, 1)
    assert body["errors"][0]["line"] == 3
    assert body["finished_at"] >= body["created_at"]
    assert list(folder.iterdir()) == []


def test_what_is_cancelled_is_not_imported_and_its_file_is_gone(
    ada: ApiClient, folder: Path
) -> None:
    path = path_of(upload(ada, FILE))

    assert ada.delete(path).status_code == 204

    assert ada.get(path).json()["status"] == "cancelled"
    assert list(folder.iterdir()) == []
    assert operations.claim(user_id=ada.user_id, import_id=Import.objects.get().pk) is None
    refused(ada.delete(path), 409, "import-finished")
    assert not Transaction.objects.exists()


def test_an_import_that_has_gone_on_is_not_cancelled_by_who_saw_it_before(ada: ApiClient) -> None:
    row = submitted(ada, csv("2026-01-31,1,credit"))
    path = f"/imports/{row.pk}"
    seen = ada.get(path)
    assert ada.request("get", path, HTTP_IF_NONE_MATCH=seen["ETag"]).status_code == 304
    operations.release(claimed(row))

    answer = ada.request("delete", path, HTTP_IF_MATCH=seen["ETag"])

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
    with pytest.raises(PreconditionFailed):  # it progressed after the tags were compared
        operations.cancel(row=row, if_unchanged=True)
    present = ada.get(path)["ETag"]
    assert ada.request("delete", path, HTTP_IF_MATCH=present).status_code == 204


def test_an_import_of_somebody_else_is_404_to_read_and_to_cancel(
    ada: ApiClient, ben: ApiClient, clerk: ApiClient, bank: ApiClient
) -> None:
    path = path_of(upload(ada, FILE))
    nowhere = f"/imports/{new_id()}"

    for stranger in (ben, clerk, bank):
        for where in (path, nowhere):
            refused(stranger.get(where), 404, "not-found")
            refused(stranger.delete(where), 404, "not-found")

    assert ada.get(path).json()["status"] == "queued"


def test_staff_read_and_cancel_with_the_permission_for_each(
    ada: ApiClient, clerk: ApiClient
) -> None:
    path = path_of(upload(ada, FILE))

    clerk.grant("imports.view_import")
    assert clerk.get(path).json()["user_id"] == ada.user_id
    refused(clerk.delete(path), 404, "not-found")
    clerk.grant("imports.change_import")
    assert clerk.delete(path).status_code == 204


def test_a_permission_is_nothing_without_staff(ada: ApiClient, ben: ApiClient) -> None:
    path = path_of(upload(ada, FILE))
    ben.grant("imports.view_import", "imports.change_import", "transactions.add_transaction")

    refused(ben.get(path), 404, "not-found")
    refused(upload(ben, FILE, user_id=ada.user_id), 403, "permission-denied")


def test_a_service_imports_for_others_and_follows_what_it_sent(
    ada: ApiClient, bank: ApiClient
) -> None:
    path = path_of(upload(bank, FILE, user_id=ada.user_id))

    assert bank.get(path).json()["user_id"] == ada.user_id
    assert ada.get(path).json()["status"] == "queued"
    work(path.rpartition("/")[2], ada.user_id)
    assert Transaction.objects.get().user_id == ada.user_id
    refused(bank.delete(path), 409, "import-finished")


def test_a_service_cancels_what_it_sent(ada: ApiClient, bank: ApiClient) -> None:
    path = path_of(upload(bank, FILE, user_id=ada.user_id))

    assert bank.delete(path).status_code == 204


def test_staff_import_for_others_with_the_permission_to_record(
    ada: ApiClient, clerk: ApiClient, folder: Path
) -> None:
    refused(upload(clerk, FILE, user_id=ada.user_id), 403, "permission-denied")
    assert nothing_left(folder)

    clerk.grant("transactions.add_transaction")

    path = path_of(upload(clerk, FILE, user_id=ada.user_id))
    assert clerk.get(path).json()["user_id"] == ada.user_id


def test_ones_own_id_may_be_named(ada: ApiClient) -> None:
    assert imported(ada, FILE, user_id=ada.user_id).rows_created == 1


def test_a_customer_names_nobody_else_and_leaves_nothing(
    ada: ApiClient, ben: ApiClient, folder: Path
) -> None:
    refused(upload(ada, FILE, user_id=ben.user_id), 403, "permission-denied")

    assert nothing_left(folder)


FIELDS: dict[str, tuple[dict[str, Any], tuple[str, str]]] = {
    "nobody's id": ({"user_id": 2**62}, ("#/user_id", "unknown-user")),
    "no id": ({"user_id": "x"}, ("#/user_id", "invalid")),
    "an id below one": ({"user_id": 0}, ("#/user_id", "min-value")),
    "an id too large": ({"user_id": 2**63}, ("#/user_id", "max-value")),
    "an empty id": ({"user_id": ""}, ("#/user_id", "invalid")),
    "two ids": ({"user_id": [1, 1]}, ("#/user_id", "repeated")),
    "an unknown field": ({"user": 1}, ("#/user", "unknown")),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_cannot_be_is_named_and_nothing_is_left(
    staff: ApiClient, folder: Path, name: str
) -> None:
    fields, error = FIELDS[name]

    assert invalid(upload(staff, FILE, **fields)) == [error]

    assert nothing_left(folder)


def send(client: ApiClient, body: Any, content_type: str = MULTIPART_CONTENT) -> Any:
    return client.request("post", "/imports", body, content_type=content_type)


@pytest.mark.parametrize(
    "form", [{}, {"file": "a,b"}, {"rows": SimpleUploadedFile("rows.csv", FILE)}]
)
def test_without_a_file_in_its_field_nothing_is_left(
    ada: ApiClient, folder: Path, form: dict[str, Any]
) -> None:
    assert invalid(send(ada, form)) == [("#/file", "required")]

    assert nothing_left(folder)


def test_with_two_files_nothing_is_left(ada: ApiClient, folder: Path) -> None:
    files = [SimpleUploadedFile("rows.csv", FILE) for _ in range(2)]

    assert invalid(send(ada, {"file": files})) == [("#/file", "required")]

    assert nothing_left(folder)


def test_a_body_of_nothing_is_no_file(ada: ApiClient) -> None:
    assert invalid(send(ada, b"", "multipart/form-data; boundary=x")) == [("#/file", "required")]


@pytest.mark.parametrize(
    "media_type",
    ["text/csv", "application/json", "application/x-ndjson", "multipart/mixed; boundary=x", ""],
)
def test_another_media_type_is_415(ada: ApiClient, folder: Path, media_type: str) -> None:
    refused(send(ada, FILE, media_type), 415, "unsupported-media-type")

    assert nothing_left(folder)


@pytest.mark.parametrize("media_type", ["multipart/form-data", "multipart/form-data; boundary=é"])
def test_a_form_without_a_boundary_is_malformed(ada: ApiClient, media_type: str) -> None:
    refused(send(ada, FILE, media_type), 400, "malformed-body")


def test_without_a_token_nothing_is_stored(anybody: ApiClient, folder: Path) -> None:
    refused(upload(anybody, FILE), 401, "not-authenticated")

    assert not folder.exists()


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_uploads_are_posted(ada: ApiClient, method: str) -> None:
    refused(ada.request(method, "/imports"), 405, "method-not-allowed")


CONTENTS = {
    b"": "empty-file",
    b"PK\x03\x04": "broken-archive",
    b"2026-01-31,19.99,credit,Jane Doe\n": "unknown-columns",
    csv()[:-3]: "unknown-column",
    csv("Zo\u00eb").replace(b"\xc3", b""): "not-utf-8",
}


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: ascii(content)[:20])
def test_a_file_that_cannot_be_imported_is_refused_whole(
    ada: ApiClient, folder: Path, content: bytes
) -> None:
    answer = upload(ada, content)

    refused(answer, 400, CONTENTS[content])
    assert b"Jane" not in answer.content
    assert nothing_left(folder)


def test_a_file_as_large_as_it_may_be_is_taken_and_one_byte_more_is_413(
    ada: ApiClient, folder: Path, settings: Any
) -> None:
    settings.IMPORT_MAX_BYTES = len(FILE)
    assert imported(ada, FILE).rows_created == 1
    settings.IMPORT_MAX_BYTES -= 1

    refused(upload(ada, FILE), 413, "file-too-large")

    assert list(folder.iterdir()) == []
    assert Import.objects.count() == 1


def test_of_too_many_at_once_the_last_leaves_no_file(ada: ApiClient, folder: Path) -> None:
    for _ in range(operations.MAX_UNFINISHED):
        path_of(upload(ada, FILE))

    refused(upload(ada, FILE), 409, "too-many-imports")

    assert len(list(folder.iterdir())) == Import.objects.count() == operations.MAX_UNFINISHED


def test_a_database_that_takes_no_import_leaves_no_file(
    ada: ApiClient, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def submit(**values: Any) -> Any:
        return Import.objects.create(**values)  # the layout is missing

    monkeypatch.setattr(operations, "submit", submit)

    assert upload(ada, FILE).status_code == 500

    assert nothing_left(folder)


def test_a_row_of_another_user_is_refused(ada: ApiClient) -> None:
    header = "user_id,transaction_date,transaction_amount,transaction_type"
    rows = [f"{user_id},2026-01-31,1.50,credit" for user_id in (ada.user_id, 0, "", "x")]

    row = imported(ada, csv(*rows, header=header))

    assert (row.rows_created, row.rows_refused) == (2, 2)
    assert faults(row) == [(3, "user_id", "another-user"), (5, "user_id", "another-user")]


def test_ones_own_imports_are_listed_newest_first(ada: ApiClient, ben: ApiClient) -> None:
    first, second = imported(ada, FILE), imported(ada, csv("x,1,debit"))
    imported(ben, FILE)

    page = ada.get("/imports", limit=1).json()
    rest = ada.get(page["next"]).json()

    (newest,), (oldest,) = page["results"], rest["results"]
    assert [newest["id"], oldest["id"]] == [str(second.pk), str(first.pk)]
    assert rest["next"] is None
    assert (newest["status"], newest["rows_refused"]) == ("done", 1)
    assert newest.keys().isdisjoint({"errors", "warnings"})
