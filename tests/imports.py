"""Files to import, and the ways they are imported in tests."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test.client import MULTIPART_CONTENT

from tests.client import ApiClient
from transactions.imports import operations, running
from transactions.imports.models import Import

HEADER = "transaction_date,transaction_amount,transaction_type"


def csv(*rows: str, header: str = HEADER) -> bytes:
    return "".join(f"{line}\r\n" for line in (header, *rows)).encode()


def upload(client: ApiClient, content: bytes, **fields: Any) -> Any:
    """`POST /imports`; nothing works on it yet."""
    form = {"file": SimpleUploadedFile("rows.csv", content), **fields}
    return client.request("post", "/imports", form, content_type=MULTIPART_CONTENT)


def work(import_id: str | UUID, user_id: int) -> Import:
    """What the worker does with it, in this process."""
    row = operations.claim(user_id=user_id, import_id=UUID(str(import_id)))
    assert row is not None
    running.run(row, must_stop=lambda: False)
    return Import.objects.get(user_id=user_id, id=row.pk)


def imported(client: ApiClient, content: bytes, **fields: Any) -> Import:
    """An upload that was accepted and worked through."""
    answer = upload(client, content, **fields)
    assert answer.status_code == 202, answer.content
    return work(answer.json()["id"], answer.json()["user_id"])


def faults(row: Import) -> Iterable[tuple[int, str, str]]:
    return [(error["line"], error["column"], error["code"]) for error in row.errors]
