"""A file of many people: each row is recorded for the user that it names."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from accounts.models import User
from tests.client import ApiClient, errors_of, staff_with
from tests.factories import record, wallet
from tests.imports import HEADER, csv, faults, imported, present, submitted, upload
from tests.transactions.imports.many import (
    MANY,
    MAPPED,
    amounts,
    foreign,
    rows,
)
from tests.transactions.imports.undos import assert_all_exact, kept
from tests.transactions.statements.files import content
from tests.wallets import held
from transactions.imports.models import ImportBatch
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def test_each_row_is_its_users(service: ApiClient, ada: ApiClient, ben: ApiClient) -> None:
    a, b, me = ada.user_id, ben.user_id, service.user_id
    assert ben.user
    User.objects.filter(pk=b).update(currency="EUR")
    ben.user.refresh_from_db()

    row = imported(service, rows(f"1,{a},x,", f"2,{b},x,", f"-4,{a},y,", f"8,{me},x,"), **MANY)

    assert (row.user_id, row.rows_created, row.errors) == (service.user_id, 4, [])
    assert amounts(ada) == [1, 4]
    found = Transaction.objects.order_by("transaction_amount")
    assert [
        (each.user_id, each.full_name, each.currency, each.external_id, each.recorded_by)
        for each in found
    ] == [
        (a, "Ada Lovelace", "USD", "x", me),
        (b, "Ben Nevis", "EUR", "x", me),
        (a, "Ada Lovelace", "USD", "y", me),
        (me, "The Bank", "USD", "x", None),
    ]
    for each in (ada, ben, service):
        assert_all_exact(each)


def test_what_is_refused_is_told_by_line(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    a, b, nobody = ada.user_id, ben.user_id, 10**9
    lines = [f"1,{b},,", f"2,{nobody},,", f"0,{a},,", "3,,,", f"4,{a},,none", f"5,{b},x,"]
    lines += [f"6,{b},x,", "7,0,,", "8,-1,,", "9,x,,", f"10,{10**30},,", f"11,{a},,"]
    lines += [f"12,0{a},,"]

    row = imported(service, rows(*lines), **MANY)

    assert faults(row) == [
        (3, "user_id", "unknown-user"),
        (4, "transaction_amount", "not-positive"),
        (5, "user_id", "required"),
        (6, "wallet", "unknown-wallet"),
        (8, "external_id", "external-id-taken"),
        *((line, "user_id", "unknown-user") for line in (9, 10, 11, 12, 14)),
    ]
    assert (amounts(ada), amounts(ben)) == ([11], [1, 5])
    assert (row.rows_read, row.rows_created, row.rows_refused) == (13, 3, 10)


def test_a_file_of_nobody_ends_with_nothing(service: ApiClient) -> None:
    row = imported(service, rows("1,,,", "2,,,"), **MANY)

    assert (row.status, row.rows_created, row.rows_refused) == ("done", 0, 2)
    assert not ImportBatch.objects.exists()


def test_exports_of_several_come_back_as_each_ones_own(ada: ApiClient, ben: ApiClient) -> None:
    staff = staff_with(
        "transactions.view_transaction",
        "transactions.add_transaction",
        "accounts.view_personal_data",
    )
    for owner, amount in ((ada, 1), (ben, 2), (ada, 4)):
        assert owner.user
        record(owner.user, transaction_amount=Decimal(amount), full_name="Her Own")

    def exported(form: str) -> bytes:
        hers, his = (
            staff.get("/transactions/export", format=form, user_id=each.user_id).getvalue()
            for each in (ada, ben)
        )
        header = hers.split(b"\n")[0] + b"\n" if form == "csv" else b""
        return bytes(hers + his.removeprefix(header))

    for file in [exported("csv"), exported("ndjson")]:
        assert imported(staff, file, **MANY).rows_created == 3

    assert amounts(ada) == [1, 1, 1, 4, 4, 4]
    assert amounts(ben) == [2, 2, 2]
    assert {each.full_name for each in Transaction.objects.all()} == {"Her Own"}


@pytest.mark.parametrize("amounts_of", ["csv", "ndjson"])
def test_without_the_word_for_it_rows_of_others_are_refused(
    service: ApiClient, ada: ApiClient, amounts_of: str
) -> None:
    file = rows(f"1,{ada.user_id},,", f"2,{service.user_id},,", "3,,,")
    if amounts_of == "ndjson":
        file = b"\n".join(
            json.dumps(
                {
                    "transaction_date": "2026-01-31",
                    "transaction_amount": amount,
                    "transaction_type": "credit",
                    **({} if user_id is None else {"user_id": user_id}),
                }
            ).encode()
            for amount, user_id in (("1", ada.user_id), ("2", service.user_id), ("3", None))
        )

    row = imported(service, file)

    assert [(column, code) for _, column, code in faults(row)] == [("user_id", "another-user")]
    assert (amounts(ada), amounts(service)) == ([], [2, 3])


def test_only_who_may_record_for_others_may(ada: ApiClient, ben: ApiClient, folder: Path) -> None:
    file = rows(f"1,{ada.user_id},,")

    for client in (ada, staff_with(), staff_with("imports.view_import")):
        for query in ("", "?dry_run=true"):
            answer = upload(client, file, query=query, **MANY)
            assert (answer.status_code, answer.json()["code"]) == (403, "permission-denied")
    assert upload(ben, file, by_user="false").status_code == 202
    assert len(list(folder.iterdir())) == 1
    assert imported(staff_with("transactions.add_transaction"), file, **MANY).rows_created == 1


def test_a_user_besides_is_too_much(service: ApiClient, ada: ApiClient, folder: Path) -> None:
    answer = upload(service, rows("1,,,"), user_id=ada.user_id, **MANY)

    assert errors_of(answer) == [("#/user_id", "not-needed")]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "file",
    [
        csv("2026-01-31,1,credit"),
        content("ofx/checking.ofx"),
        b"Datum;Betrag;Empf\xe4nger\n31.01.2026;-1,00;Jane\n",
    ],
)
def test_a_file_that_names_no_users_is_refused(
    service: ApiClient, folder: Path, file: bytes
) -> None:
    answer = upload(service, file, **MANY)

    assert (answer.status_code, answer.json()["code"]) == (400, "missing-column")
    assert "user_id" in answer.json()["detail"]
    assert list(folder.iterdir()) == []


def test_a_mapping_may_say_which_column_it_is(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    january = foreign((ada, "1,50"), (ben, "1,50"), (ada, "-2"), (ada, "1,50"))

    row = imported(service, january, **MAPPED)

    assert (row.rows_created, row.errors) == (4, [])
    assert (amounts(ada), amounts(ben)) == ([1.5, 1.5, 2], [1.5])
    assert imported(service, january, **MAPPED).rows_created == 0
    # Another file, without those of Ada before it: his is the same one still.
    assert imported(service, foreign((ben, "1,50"), (ben, "3")), **MAPPED).rows_created == 1
    # And for one person, such a column is what the file says whose it is.
    row = imported(service, january, user_id=ben.user_id, mapping=MAPPED["mapping"])
    assert [code for *_, code in faults(row)] == [
        "another-user",
        "external-id-taken",
        "another-user",
        "another-user",
    ]


def test_wallets_are_each_users_own(service: ApiClient, ada: ApiClient, ben: ApiClient) -> None:
    a, b = ada.user_id, ben.user_id
    assert ada.user
    assert ben.user
    hers, his = wallet(ada.user, USD="10"), wallet(ben.user, USD="1")
    lines = [f"-6,{a},,main", f"-2,{b},,main", f"-6,{a},,main", f"5,{b},,main"]
    lines += [f"-2,{b},,main", f"-9,{b},,main", f"-4,{a},,main"]

    row = imported(service, rows(*lines), **MANY)

    short = ("wallet", "insufficient-funds")
    assert faults(row) == [(3, *short), (4, *short), (7, *short)]
    assert (held(hers), held(his)) == ({"USD": Decimal(0)}, {"USD": Decimal(4)})
    for owner in (ada, ben):
        assert_all_exact(owner)


def test_only_its_sender_sees_it(service: ApiClient, ada: ApiClient) -> None:
    row = imported(service, rows(f"1,{ada.user_id},,"), **MANY)

    seen = service.get(f"/imports/{row.pk}").json()
    assert (seen["user_id"], seen["by_user"]) == (service.user_id, True)
    assert [each["id"] for each in service.get("/imports").json()["results"]] == [str(row.pk)]
    assert ada.get(f"/imports/{row.pk}").status_code == 404
    assert ada.get("/imports").json()["results"] == []


def test_a_user_is_answered_anew_as_soon_as_it_is_done(
    service: ApiClient, ada: ApiClient, ben: ApiClient
) -> None:
    both = (ada, ben)
    [each.get("/analytics") for each in both]
    before = [each.get("/analytics") for each in both]
    assert [answer["X-Cache"] for answer in before] == ["hit", "hit"]

    imported(service, rows(f"1,{ada.user_id},,", f"2,{ben.user_id},,"), **MANY)

    after = [each.get("/analytics") for each in both]
    assert [answer["X-Cache"] for answer in after] == ["miss", "miss"]
    assert [answer.content for answer in after] != [answer.content for answer in before]
    assert [answer.json()["total_transactions"] for answer in after] == [1, 1]


@pytest.fixture
def previews(db: None) -> Any:
    def told(client: ApiClient, file: bytes, **fields: Any) -> Any:
        before = Transaction.objects.count()
        answer = upload(client, file, query="?dry_run=true", **MANY, **fields)
        assert answer.status_code == 200, answer.content
        assert Transaction.objects.count() == before
        return answer.json()

    return told


def test_a_preview_tells_of_all(
    service: ApiClient, ada: ApiClient, ben: ApiClient, previews: Any
) -> None:
    assert ada.user
    record(ada.user, external_id="old", transaction_amount=Decimal(1))
    a, b, me = ada.user_id, ben.user_id, service.user_id
    lines = [f"1,{b},,", f"2,{me},,", f"1,{a},,", f"4,{a},old,", "8,,,", f"16,{b},old,"]

    told = previews(service, rows(*lines))

    assert (told["users"], told["rows_acceptable"], told["rows_refused"]) == (3, 4, 2)
    shown = [(row["line"], row["user_id"], row["full_name"]) for row in told["rows"]]
    # A name in another's profile is not for the service.
    assert shown == [(2, b, None), (3, me, "The Bank"), (4, a, None), (7, b, None)]
    assert [error["line"] for error in told["errors"]] == [6]
    assert told["duplicates"]["recorded_lines"] == [5]
    assert told["duplicates"]["similar"] is None
    staff = staff_with("transactions.add_transaction", "transactions.view_transaction")
    assert previews(staff, rows(*lines))["duplicates"]["similar_lines"] == [4]
    lines[2] = lines[2].replace("1,", "10,", 1)
    assert previews(staff, rows(*lines))["duplicates"]["similar"] == 0


def test_a_name_in_anothers_profile_is_not_shown_either(service: ApiClient, ada: ApiClient) -> None:
    file = csv("2026-01-31,1,credit,", "2026-01-31,2,credit,Eve", header=f"{HEADER},full_name")

    told = upload(service, file, query="?dry_run=true", user_id=ada.user_id).json()

    assert [row["full_name"] for row in told["rows"]] == [None, "Eve"]
    own = upload(ada, file, query="?dry_run=true").json()
    assert [row["full_name"] for row in own["rows"]] == [None, "Eve"]


def test_the_command_takes_such_a_file(
    ada: ApiClient, ben: ApiClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "many.csv"
    file.write_bytes(rows(f"1,{ada.user_id},,", f"2,{ben.user_id},,"))
    options = (str(file), "--user", str(ada.user_id), "--by-user")

    call_command("import_transactions", *options, "--dry-run")
    assert "2 users." in capsys.readouterr().out
    assert amounts(ben) == []
    call_command("import_transactions", *options)

    assert "2 rows created" in capsys.readouterr().out
    assert (amounts(ada), amounts(ben)) == ([1], [2])


def test_such_an_import_goes_on_by_the_command(
    service: ApiClient, ada: ApiClient, capsys: pytest.CaptureFixture[str]
) -> None:
    row = submitted(service, rows(f"1,{service.user_id},,"))
    call_command("import_transactions", "--resume", str(row.pk))
    assert "1 rows created" in capsys.readouterr().out
    many = imported(service, rows(f"1,{ada.user_id},,"), **MANY)
    call_command("import_transactions", "--undo", str(many.pk))
    assert amounts(ada) == []
    assert kept(present(many.pk)) == []


def test_in_a_preview_external_ids_are_each_users_own(
    service: ApiClient, ada: ApiClient, ben: ApiClient, previews: Any
) -> None:
    a, b = ada.user_id, ben.user_id

    told = previews(service, rows(f"1,{a},x,", f"2,{b},x,", f"3,{a},x,"))

    assert (told["rows_acceptable"], told["duplicates"]["recorded_lines"]) == (2, [4])
