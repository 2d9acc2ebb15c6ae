"""`manage.py import_transactions --undo`: undoes an import and lists what it leaves."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.imports import claimed, imported, present, rows, submitted
from tests.transactions.imports.undos import ask
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _spool(spool_folder: Any) -> None:
    pass


def command(row: Import) -> tuple[str, str]:
    """Its standard output and standard error."""
    out, err = StringIO(), StringIO()
    call_command("import_transactions", "--undo", str(row.pk), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_an_import_is_undone(ada: ApiClient) -> None:
    row = imported(ada, rows(3))

    said, errors = command(row)

    assert (said, errors) == (f"Import {row.pk} is undone: 3 of 3 rows deleted, 0 kept.\n", "")
    assert (present(row.pk).status, Transaction.objects.count()) == ("undone", 0)


def test_what_it_leaves_is_listed_and_is_a_failure(ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    Transaction.objects.filter(transaction_amount=2).update(version=2)
    out, err = StringIO(), StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("import_transactions", "--undo", str(row.pk), stdout=out, stderr=err)

    assert ended.value.code == 1
    assert err.getvalue() == f"transaction {Transaction.objects.get().pk} was kept: changed\n"
    assert "2 of 3 rows deleted, 1 kept." in out.getvalue()


def test_an_import_that_has_not_ended_is_refused(ada: ApiClient) -> None:
    with pytest.raises(CommandError, match="has not ended: cancel it first"):
        command(submitted(ada, rows(3)))


def test_one_that_a_worker_is_undoing_is_left_to_it(ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    ask(ada, row)
    claimed(row)

    with pytest.raises(CommandError, match="a worker is running it"):
        command(row)


def test_an_unknown_one_is_named(ada: ApiClient) -> None:
    id_ = new_id()

    with pytest.raises(CommandError, match=f"There is no import {id_}"):
        command(Import(id=id_))


def test_an_interrupted_undo_is_resumed(ada: ApiClient) -> None:
    row = imported(ada, rows(3))
    ask(ada, row)
    out = StringIO()

    call_command("import_transactions", "--resume", str(row.pk), stdout=out)

    assert "3 of 3 rows deleted, 0 kept." in out.getvalue()
