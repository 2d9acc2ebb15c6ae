"""`manage.py import_transactions`: imports a file and lists its refused rows by line."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from fido.lib.values.ids import new_id
from fido.lib.values.strict_json import read_json
from tests.client import ApiClient
from tests.imports import claimed, csv, present, submitted, work
from tests.transactions.statements.files import content
from transactions.imports import people, running, saved, spool
from transactions.imports.models import Import
from transactions.mappings.mapping import parsed
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_bytes(csv("2026-01-31,1,credit", "2026-01-31,2,debit"))
    return path


def command(*arguments: Any) -> tuple[str, str]:
    """Its standard output and standard error."""
    out, err = StringIO(), StringIO()
    call_command("import_transactions", *map(str, arguments), stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_a_file_is_imported(ada: ApiClient, file: Path) -> None:
    said, errors = command(file, "--user", ada.user_id)

    row = Import.objects.get()
    assert said == f"Import {row.pk} is done: 2 rows created, 0 refused.\n"
    assert errors == ""
    assert Transaction.objects.filter(user_id=ada.user_id).count() == 2
    assert not spool.path_of(row.pk).exists()


def test_refused_rows_are_listed_and_are_a_failure(ada: ApiClient, file: Path) -> None:
    file.write_bytes(csv("2026-01-31,1,credit", "2026-01-31,0,debit", "1,2"))
    out, err = StringIO(), StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command(
            "import_transactions", str(file), "--user", str(ada.user_id), stdout=out, stderr=err
        )

    assert ended.value.code == 1
    assert err.getvalue() == (
        "line 3: transaction_amount: The amount must be greater than zero.\n"
        "line 4: The header has 3 columns.\n"
    )
    assert "1 rows created, 2 refused" in out.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Jane Doe,1\n", "no line at its beginning names"),
        (b"PK\x03\x04rest", "damaged or incomplete"),
        (b"", "The file is empty."),
    ],
)
def test_a_file_that_cannot_be_read_leaves_nothing(
    ada: ApiClient, file: Path, content: bytes, reason: str
) -> None:
    file.write_bytes(content)

    with pytest.raises(CommandError, match=reason) as refusal:
        command(file, "--user", ada.user_id)

    assert "Jane" not in str(refusal.value)
    assert not Import.objects.exists()
    assert list(spool.path_of(Import().pk).parent.glob("*")) == []


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["/nowhere.csv", "--user", "{ada}"], "No such file or directory"),
        (["{file}", "--user", "0"], "There is no user 0."),
        (["{file}", "--user", "99999999999999999999"], "There is no user"),
        (["{file}"], "Name a FILE and its --user"),
        (["--user", "{ada}"], "Name a FILE and its --user"),
        (["--resume", "nonsense"], "not an id"),
        (["--resume", "01a2015b-e99c-7426-bb3d-554e05667b4d"], "There is no import"),
        (["{file}", "--resume", "01a2015b-e99c-7426-bb3d-554e05667b4d"], "Name a FILE and its"),
    ],
)
def test_wrong_arguments_are_told_in_a_sentence(
    ada: ApiClient, file: Path, arguments: list[str], reason: str
) -> None:
    given = [argument.format(ada=ada.user_id, file=file) for argument in arguments]

    with pytest.raises(CommandError, match=reason):
        command(*given)

    assert not Import.objects.exists()


def test_an_interrupted_import_is_continued(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "BATCH_ROWS", 1)
    row = submitted(ada, csv("2026-01-31,1,credit", "2026-01-31,2,debit"))
    work(row.pk, must_stop=lambda: True)

    said, _ = command("--resume", row.pk)

    assert "is done: 2 rows created" in said
    with pytest.raises(CommandError, match="has ended"):
        command("--resume", row.pk)


def test_an_import_with_a_worker_is_not_taken_from_it(ada: ApiClient) -> None:
    row = claimed(submitted(ada, csv("2026-01-31,1,credit")))

    with pytest.raises(CommandError, match="a worker is running it"):
        command("--resume", row.pk)

    assert present(row.pk).lease == row.lease


def test_an_interrupted_import_is_left_to_the_workers_at_once(
    ada: ApiClient, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*args: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(running, "recipe_of", interrupted)
        with pytest.raises(CommandError, match="A worker will continue it, or use --resume"):
            command(file, "--user", ada.user_id)

    row = Import.objects.get()
    assert (row.status, row.lease) == ("running", None)
    assert work(row.pk).rows_created == 2


def test_what_a_banks_file_tells_is_said(ada: ApiClient, file: Path) -> None:
    file.write_bytes(content("camt/camt053.v2.five.decimals.xml"))

    said, errors = command(file, "--user", ada.user_id)

    assert "1 rows created, 0 refused" in said
    assert errors.startswith("Statement 1: its closing balance is 0.05 EUR away")

    file.write_bytes(content("camt/camt052.v6.Amt-zero.xml"))
    assert "1 entries are not booked yet: left out." in command(file, "--user", ada.user_id)[0]

    file.write_bytes(content("ofx/signon_fail.ofx"))
    with pytest.raises(CommandError, match="The bank refused the login"):
        command(file, "--user", ada.user_id)


def test_a_dry_run_tells_and_records_nothing(ada: ApiClient, file: Path) -> None:
    said, errors = command(file, "--user", ada.user_id, "--dry-run")

    assert said == (
        "USD: 2 rows, 1.00 credit, 2.00 debit.\n"
        "Nothing was recorded. 2 rows would be created, 0 refused, of which 0 are recorded"
        " already.\n"
    )
    assert errors == ""
    assert not Import.objects.exists()
    assert not Transaction.objects.exists()
    assert list(spool.path_of(new_id()).parent.iterdir()) == []


MAPPING = (
    '{"columns": {"Day": {"role": "transaction_date"}, "Sum": {"role": "transaction_amount"}},'
    ' "constants": {"transaction_type": "debit"}}'
)


def test_a_mapping_is_a_file_or_a_name(ada: ApiClient, file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"Day,Sum\n2026-01-31,5\n")
    mapping = tmp_path / "mapping.json"
    mapping.write_text(MAPPING)
    saved.save(user_id=ada.user_id, name="mine", mapping=parsed(read_json(MAPPING)))

    previewed, _ = command(file, "--user", ada.user_id, "--mapping", "mine", "--dry-run")
    said, _ = command(file, "--user", ada.user_id, "--mapping", mapping)

    assert "USD: 1 rows, 0.00 credit, 5.00 debit." in previewed
    assert "1 rows created, 0 refused" in said
    assert Transaction.objects.get().transaction_type == "debit"


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("nobodys", "nobodys is no file, and no mapping"),
        ("{", "it is not JSON"),
        ("{}", "1 to 200 columns"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_told(
    ada: ApiClient, file: Path, tmp_path: Path, mapping: str, reason: str
) -> None:
    given = mapping
    if mapping.startswith("{"):
        (tmp_path / "mapping.json").write_text(mapping)
        given = str(tmp_path / "mapping.json")

    with pytest.raises(CommandError, match=reason):
        command(file, "--user", ada.user_id, "--mapping", given)

    assert not Import.objects.exists()
