"""An upload repeated with its key is accepted once."""

from pathlib import Path

import pytest

from tests.client import ApiClient
from tests.imports import csv, upload, work
from tests.races import at_once
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
CONTENT = csv("2026-01-31,1,credit", "2026-01-31,2,debit")


def test_a_retry_is_answered_as_the_first_time_and_leaves_no_file(
    ada: ApiClient, spool_folder: Path
) -> None:
    first = upload(ada, CONTENT, key="k-1")

    again = upload(ada, CONTENT, key="k-1")

    assert (again.status_code, again.content) == (202, first.content)
    assert again["Idempotent-Replayed"] == "true"
    assert again["Location"] == first["Location"]
    assert Import.objects.count() == 1
    assert [path.stem for path in spool_folder.iterdir()] == [first.json()["id"]]


def test_a_retry_is_answered_after_the_import_has_ended(ada: ApiClient, spool_folder: Path) -> None:
    first = upload(ada, CONTENT, key="k-1")
    work(first.json()["id"])

    assert upload(ada, CONTENT, key="k-1").content == first.content
    assert Transaction.objects.count() == 2
    assert list(spool_folder.iterdir()) == []


def test_the_key_of_another_file_is_refused(ada: ApiClient, spool_folder: Path) -> None:
    upload(ada, CONTENT, key="k-1")

    other = upload(ada, csv("2026-01-31,3,credit"), key="k-1")

    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")
    assert Import.objects.count() == len(list(spool_folder.iterdir())) == 1


def test_a_refused_file_uses_up_no_key(ada: ApiClient, spool_folder: Path) -> None:
    assert upload(ada, b"no header\n", key="k-1").status_code == 400

    assert upload(ada, CONTENT, key="k-1").status_code == 202


def test_of_many_at_once_one_is_taken_in(ada: ApiClient, spool_folder: Path) -> None:
    def send() -> tuple[int, bytes]:
        answer = upload(ada, CONTENT, key="k-1")
        return answer.status_code, answer.content

    answers = at_once(*[send] * 8)

    assert {status for status, _ in answers} <= {202, 409}
    assert len({content for status, content in answers if status == 202}) == 1
    assert Import.objects.count() == len(list(spool_folder.iterdir())) == 1
