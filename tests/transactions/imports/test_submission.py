"""An upload whose commit was never confirmed keeps its file: the import may exist."""

from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError, connection

from tests.client import ApiClient
from tests.imports import csv, upload, work
from transactions.imports import operations
from transactions.imports.models import Import
from transactions.models import Transaction


@pytest.mark.django_db(transaction=True)
def test_a_commit_whose_answer_was_lost_is_imported_all_the_same(
    ada: ApiClient, spool_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = operations.submit

    def lost(**fields: Any) -> Any:
        # What the client sees: committed, but not confirmed.
        submit(**fields)
        connection.connection.commit()
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(operations, "submit", lost)
        assert upload(ada, csv("2026-01-31,1,credit")).status_code == 503

    row = Import.objects.get()
    assert [path.stem for path in spool_folder.iterdir()] == [str(row.pk)]
    assert work(row.pk).status == "done"
    assert Transaction.objects.count() == 1
