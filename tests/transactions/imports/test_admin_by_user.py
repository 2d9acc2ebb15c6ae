"""Staff bring in a file of many people on the admin's pages."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from tests.factories import UserFactory
from tests.imports import csv, work
from tests.staff import Desk
from tests.transactions.imports.reviews import FORM, REVIEW, column, fields
from tests.transactions.statements.files import content as statement
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
HEADER = "transaction_date,transaction_amount,transaction_type,user_id"


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


@pytest.fixture
def john(db: None) -> User:
    return UserFactory.create(username="john", full_name="John Herschel")


def sent(desk: Desk, data: bytes, **more: str) -> Any:
    file = SimpleUploadedFile("rows.csv", data)
    return desk.post(FORM, **{"by_user": "on", "preview": "Preview"} | more, file=file)


def owned() -> dict[int, list[float]]:
    found: dict[int, list[float]] = {}
    for row in Transaction.objects.order_by("transaction_amount"):
        found.setdefault(row.user_id, []).append(float(row.transaction_amount))
    return found


def test_the_review_shows_whose_each_row_is_and_the_import_follows(
    root: Desk, jane: User, john: User
) -> None:
    file = csv(
        f"2026-01-31,1,credit,{jane.pk}",
        f"2026-01-31,2,debit,{john.pk}",
        "2026-01-31,4,debit,",
        header=HEADER,
    )

    answer = sent(root, file)

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "the users that its rows name" in page
    assert "<tr><td>2<td>2<td>1" in page  # people, rows, refused
    assert f"<td>{john.pk}<td>2026-01-31" in page
    assert "Herschel" not in page
    assert "The row does not say whose it is." in page
    root.post(REVIEW, **fields(answer), **{"import": "Import"})

    row = Import.objects.get()
    assert (row.user, row.created_by, row.is_by_user) == (root.user, root.user, True)
    assert work(row.pk, row.user_id).rows_created == 2
    assert owned() == {jane.pk: [1], john.pk: [2]}
    assert "of many people" in root.text(f"imports/import/{row.pk}/change/")


def test_it_may_be_imported_at_once(root: Desk, jane: User) -> None:
    sent(root, csv(f"2026-01-31,1,credit,{jane.pk}", header=HEADER), preview="")
    file = SimpleUploadedFile("rows.csv", csv(f"2026-01-31,2,credit,{jane.pk}", header=HEADER))
    root.post(FORM, by_user="on", file=file, **{"import": "Import at once"})

    row = Import.objects.get()
    assert work(row.pk, row.user_id).rows_created == 1
    assert owned() == {jane.pk: [2]}


def test_a_foreign_files_column_is_chosen_in_the_review(root: Desk, jane: User, john: User) -> None:
    file = csv(
        f"{jane.pk};31.01.2026;1,50", f"{john.pk};30.01.2026;-2", header="Kunde;Datum;Betrag"
    )

    answer = sent(root, file)

    assert answer.status_code == 400
    assert "by which each row would name its user" in answer.content.decode()
    form = fields(answer)
    form[column(form, "Kunde") + "role"] = "user_id"
    again = root.post(REVIEW, **form, preview="Preview again")
    assert again.status_code == 200, again.content.decode()
    root.post(REVIEW, **fields(again), **{"import": "Import"})
    row = Import.objects.get()
    assert work(row.pk, row.user_id).rows_created == 2
    assert owned() == {jane.pk: [1.5], john.pk: [2]}


def test_a_user_besides_is_too_much_and_one_is_needed_otherwise(
    root: Desk, jane: User, folder: Path
) -> None:
    file = csv(f"2026-01-31,1,credit,{jane.pk}", header=HEADER)

    both = sent(root, file, user_id="jane")
    assert both.status_code == 400
    assert "Each row names its user: leave this out." in both.content.decode()
    neither = root.post(FORM, file=SimpleUploadedFile("rows.csv", file), preview="Preview")
    assert neither.status_code == 400
    assert "This field is required." in neither.content.decode()
    assert list(folder.iterdir()) == []


def test_a_banks_statement_names_no_users(root: Desk, folder: Path) -> None:
    answer = sent(root, statement("ofx/checking.ofx"))

    assert answer.status_code == 400
    assert "by which each row would name its user" in answer.content.decode()
    assert list(folder.iterdir()) == []
