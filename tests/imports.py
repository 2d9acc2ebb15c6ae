"""Files to import, and ways to import them in tests."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models.functions import Now
from django.test.client import MULTIPART_CONTENT

from tests.client import ApiClient
from transactions.imports import operations, running
from transactions.imports.models import Import
from transactions.models import Transaction

HEADER = "transaction_date,transaction_amount,transaction_type"


def csv(*rows: str, header: str = HEADER) -> bytes:
    return "".join(f"{line}\r\n" for line in (header, *rows)).encode()


def upload(
    client: ApiClient,
    content: bytes,
    *,
    key: str | None = None,
    request_id: str | None = None,
    query: str = "",
    **fields: Any,
) -> Any:
    """`POST /imports`; no worker has started on it. `key` is an Idempotency-Key."""
    headers = {} if key is None else {"HTTP_IDEMPOTENCY_KEY": key}
    headers |= {} if request_id is None else {"HTTP_X_REQUEST_ID": request_id}
    form = {"file": SimpleUploadedFile("rows.csv", content), **fields}
    return client.request(
        "post", f"/imports{query}", form, content_type=MULTIPART_CONTENT, **headers
    )


def submitted(client: ApiClient, content: bytes) -> Import:
    """An accepted upload."""
    answer = upload(client, content)
    assert answer.status_code == 202, answer.content
    return present(answer.json()["id"])


def claimed(row: Import) -> Import:
    """The import as claimed by a worker."""
    mine = operations.claim(user_id=row.user_id, import_id=row.pk)
    assert mine is not None
    return mine


def work(
    import_id: str | UUID,
    user_id: int | None = None,
    *,
    must_stop: Callable[[], bool] = lambda: False,
) -> Import:
    """Do what a worker does, in this process."""
    user_id = user_id or present(import_id).user_id
    mine = operations.claim(user_id=user_id, import_id=UUID(str(import_id)))
    assert mine is not None
    running.run(mine, must_stop=must_stop)
    return Import.objects.get(user_id=user_id, id=mine.pk)


def present(import_id: str | UUID) -> Import:
    return Import.objects.get(id=import_id)


def imported(client: ApiClient, content: bytes, **fields: Any) -> Import:
    """An accepted and imported upload."""
    answer = upload(client, content, **fields)
    assert answer.status_code == 202, answer.content
    return work(answer.json()["id"], answer.json()["user_id"])


def faults(row: Import) -> list[tuple[int, str, str]]:
    return [(error["line"], error["column"], error["code"]) for error in row.errors]


def rows(count: int, **columns: Callable[[int], str]) -> bytes:
    """A file whose amounts are 1, 2, 3 …"""
    header = ",".join([HEADER, *columns])
    more = ["".join(f",{cell(n)}" for cell in columns.values()) for n in range(1, count + 1)]
    return csv(*(f"2026-01-31,{n},credit{more[n - 1]}" for n in range(1, count + 1)), header=header)


def amounts(owner: ApiClient) -> list[int]:
    kept = Transaction.objects.filter(user_id=owner.user_id)
    return sorted(int(row.transaction_amount) for row in kept)


def age(*rows: Import) -> None:
    """As if they had been submitted a minute ago."""
    earlier = Now() - timedelta(seconds=60)
    assert Import.objects.filter(id__in=[row.pk for row in rows]).update(created_at=earlier)
