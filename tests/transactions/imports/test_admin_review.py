"""The admin's review of a file: a preview, a mapping that is adjusted, and the import."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from tests.imports import csv, work
from tests.staff import Desk, clerk
from tests.transactions.imports.reviews import FORM, REVIEW, column, fields, previewed
from tests.transactions.mappings.files import NUMBERED, content
from tests.transactions.statements.files import content as statement
from transactions.imports import saved, spool
from transactions.imports.admin import review
from transactions.imports.models import Import
from transactions.mappings.mapping import parsed
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
RECORD = "transactions.add_transaction"
OWN = csv("2026-01-31,1.50,credit", "x,1,debit")


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def test_a_preview_records_nothing_and_the_import_follows(root: Desk, jane: User) -> None:
    answer = previewed(root, "jane", content("sparkasse_camt_v2.csv"))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "LIDL SAGT DANKE" in page
    assert "39.30" in page
    assert not Import.objects.exists()

    done = root.post(REVIEW, **fields(answer), **{"import": "Import"})

    row = Import.objects.get()
    assert done.headers["Location"] == f"/admin/imports/import/{row.pk}/change/"
    assert (row.user, row.created_by) == (jane, root.user)
    assert work(row.pk, jane.pk).rows_created == 2
    assert LogEntry.objects.get().object_id == str(row.pk)


def test_the_mapping_that_is_shown_is_the_one_that_is_sent(root: Desk, jane: User) -> None:
    answer = previewed(root, jane.pk, content("mint.csv"))

    again = root.post(REVIEW, **fields(answer), preview="Preview again")

    assert again.status_code == 200
    shown = fields(again) | {"staged": "", "csrfmiddlewaretoken": ""}
    assert shown == fields(answer) | {"staged": "", "csrfmiddlewaretoken": ""}


def test_a_column_may_be_given_another_role(root: Desk, jane: User) -> None:
    form = fields(previewed(root, jane.pk, content("chase.csv")))
    form[column(form, "Description") + "role"] = "full_name"
    form[column(form, "Amount") + "negate"] = "on"

    root.post(REVIEW, **form, **{"import": "Import"})

    work(Import.objects.get().pk, jane.pk)
    rows = {row.full_name: row.transaction_type for row in Transaction.objects.all()}
    assert rows == {"CVS PHARMACY": "credit", "PAYMENT THANK YOU": "debit"}


def test_a_column_may_be_ignored_with_its_details_still_there(root: Desk, jane: User) -> None:
    form = fields(previewed(root, jane.pk, content("chase.csv")))
    first, other = column(form, "Transaction Date"), column(form, "Post Date")
    form |= {first + "role": "transaction_date", first + "detail": "%m/%d/%Y"}
    form |= {other + "role": "ignore", other + "detail": "%m/%d/%Y"}

    root.post(REVIEW, **form, **{"import": "Import"})

    columns = Import.objects.get().layout["mapping"]["columns"]
    assert columns["Post Date"] == {"role": "ignore"}


def test_what_the_file_does_not_tell_is_asked_for(root: Desk, jane: User) -> None:
    answer = previewed(root, jane.pk, content("creditunion.csv"))

    assert answer.status_code == 400
    assert "no column says which are credits" in answer.content.decode()
    form = fields(answer)
    assert form[column(form, "Date") + "role"] == "transaction_date"
    form[column(form, "Amount") + "role"] = "transaction_amount"
    form |= {"transaction_type": "debit", "currency": "EUR"}
    second = root.post(REVIEW, **form, preview="Preview again")
    assert second.status_code == 200
    assert "465000" in second.content.decode()

    root.post(REVIEW, **fields(second), **{"import": "Import"})

    assert work(Import.objects.get().pk, jane.pk).rows_created == 8
    assert set(Transaction.objects.values_list("currency", flat=True)) == {"EUR"}


def test_a_mapping_with_faults_is_shown_again(root: Desk, jane: User) -> None:
    form = fields(previewed(root, jane.pk, content("chase.csv")))
    form[column(form, "Amount") + "role"] = "ignore"

    answer = root.post(REVIEW, **form, **{"import": "Import"})

    assert answer.status_code == 400
    assert "No column is an amount" in answer.content.decode()
    assert fields(answer)[column(form, "Amount") + "role"] == "ignore"
    assert not Import.objects.exists()


@pytest.mark.parametrize("data", [OWN, statement("camt/camt053.v2.minimal.xml")])
def test_what_needs_no_mapping_asks_for_none(root: Desk, jane: User, data: bytes) -> None:
    answer = previewed(root, jane.pk, data)

    assert answer.status_code == 200
    assert not any(name.startswith("columns") for name in fields(answer))
    root.post(REVIEW, **fields(answer), **{"import": "Import"})
    assert work(Import.objects.get().pk, jane.pk).rows_created == 1


def test_two_clicks_are_one_import(root: Desk, jane: User) -> None:
    form = fields(previewed(root, jane.pk, OWN)) | {"import": "Import"}

    first, second = root.post(REVIEW, **form), root.post(REVIEW, **form)

    assert first.headers["Location"] == second.headers["Location"]
    assert Import.objects.count() == LogEntry.objects.count() == 1


def test_a_review_is_for_whoever_uploaded(root: Desk, jane: User) -> None:
    form = fields(previewed(root, jane.pk, OWN)) | {"import": "Import"}
    other = clerk(RECORD)

    for sent in (form, form | {"staged": form["staged"][:-1]}, {"import": "Import"}):
        answer = other.post(REVIEW, **sent)
        assert answer.status_code == 400
        assert "Upload it again" in answer.content.decode()
    assert clerk().post(REVIEW, **form).status_code == 403
    assert not Import.objects.exists()


def test_a_file_that_is_gone_is_asked_for_again(
    root: Desk, jane: User, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = fields(previewed(root, jane.pk, content("chase.csv"))) | {"import": "Import"}
    (file,) = folder.iterdir()
    monkeypatch.setattr(review, "MAX_AGE_SECONDS", -1)
    assert "Upload it again" in root.post(REVIEW, **form).content.decode()
    monkeypatch.undo()

    file.unlink()

    assert "Upload it again" in root.post(REVIEW, **form).content.decode()
    assert not Import.objects.exists()


def test_a_file_that_nobody_can_read_is_not_kept(root: Desk, jane: User, folder: Path) -> None:
    for data in (b"", b"\0\1\2"):
        assert previewed(root, jane.pk, data).status_code == 400
    assert list(folder.iterdir()) == []


def test_similar_rows_are_told_only_to_those_who_may_see_them(root: Desk, jane: User) -> None:
    may_record = clerk(RECORD)

    shown = previewed(root, jane.pk, OWN).content.decode()
    hidden = previewed(may_record, jane.pk, OWN).content.decode()

    assert "<td>–<td>0" not in shown
    assert "<td>–<td>0" in hidden


def test_refused_rows_are_there_as_csv(root: Desk, jane: User) -> None:
    root.post(FORM, user_id=jane.pk, file=SimpleUploadedFile("rows.csv", OWN))
    row = work(Import.objects.get().pk, jane.pk)

    answer = root.get(f"imports/import/{row.pk}/refused.csv")

    lines = answer.content.decode().splitlines()
    assert lines[0] == "line,column,code,detail"
    assert lines[1].startswith("3,transaction_date,invalid,")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert f"/admin/imports/import/{row.pk}/refused.csv" in root.text(
        f"imports/import/{row.pk}/change/"
    )
    assert clerk(RECORD).get(f"imports/import/{row.pk}/refused.csv").status_code == 403
    assert not spool.path_of(row.pk).exists()


def test_the_page_of_an_import_follows_it_until_it_has_ended(root: Desk, jane: User) -> None:
    root.post(FORM, user_id=jane.pk, file=SimpleUploadedFile("rows.csv", OWN))
    row = Import.objects.get()
    page = f"imports/import/{row.pk}/change/"

    assert 'id="import-goes-on"' in root.text(page)
    work(row.pk, jane.pk)

    assert 'id="import-goes-on"' not in root.text(page)


def test_what_the_file_did_not_show_is_still_refused_after_a_review(root: Desk, jane: User) -> None:
    """No amount of the first rows tells what a comma means. One after them is no thousand."""
    rows = b"Date,Description,Amount\r\n" + b"2026-01-02,a,-5\r\n" * 250
    answer = previewed(root, jane.pk, rows + b'2026-01-03,b,"-1,234"\r\n')

    root.post(REVIEW, **fields(answer), **{"import": "Import"})

    row = work(Import.objects.get().pk, jane.pk)
    assert (row.rows_created, row.rows_refused) == (250, 1)


def kept(owner: User, mapping: dict[str, Any]) -> None:
    saved.save(user_id=owner.pk, name="kept", mapping=parsed(mapping))


def test_all_of_a_saved_mapping_comes_through_the_review(root: Desk, jane: User) -> None:
    columns = {"DATE": {"role": "transaction_date"}, "what": {"role": "ignore"}}
    columns["amount"] = {"role": "signed_amount"}
    mapping = {"decimal": ",", "thousands": " ", "delimiter": ";", "encoding": "cp437"}
    kept(jane, mapping | {"columns": columns, "constants": {"category": "food"}})
    rows = b"Date;What;Amount\r\n2026-01-02;x;-1 234,50\r\n"
    form = fields(previewed(root, jane.pk, rows))

    root.post(REVIEW, **fields(root.post(REVIEW, **form, choose="x")), **{"import": "x"})

    work(Import.objects.get().pk, jane.pk)
    row = Transaction.objects.get()
    assert (row.transaction_amount, row.category) == (Decimal("1234.50"), "food")
    layout = Import.objects.get().layout["mapping"]
    assert (layout["thousands"], layout["encoding"]) == (" ", "cp437")


def test_so_does_one_of_a_file_without_a_header(root: Desk, jane: User) -> None:
    kept(jane, NUMBERED)
    form = fields(previewed(root, jane.pk, content("mint_headerless.csv")))

    chosen = root.post(REVIEW, **form | {"by": "kept"}, choose="x")
    root.post(REVIEW, **fields(chosen), **{"import": "x"})

    assert chosen.status_code == 200
    assert work(Import.objects.get().pk, jane.pk).rows_created == 4
