"""Mappings on the review page of a file: saved for its owner, and chosen by name."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import ADDITION, CHANGE, LogEntry
from django.db import connection

from accounts.models import User
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.imports import upload
from tests.races import overtaken
from tests.staff import Desk, clerk
from tests.transactions.imports.reviews import REVIEW, column, fields, previewed
from tests.transactions.mappings.files import CARD, content, text
from transactions.imports import saved
from transactions.imports.models import Import, SavedMapping
from transactions.mappings.mapping import parsed

pytestmark = pytest.mark.django_db(transaction=True)
RECORD = "transactions.add_transaction"
CARD_FILE = content("creditunion.csv")
COLUMNS = {"Check Number", "Date", "Description", "Amount", "Category", "Comments"}


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def filled(desk: Desk, owner: User, name: str = "card", **more: str) -> dict[str, str]:
    """The card's file under review, with all that its mapping needs."""
    form = fields(previewed(desk, owner.pk, CARD_FILE))
    form[column(form, "Amount") + "role"] = "transaction_amount"
    return form | {"transaction_type": "debit", "save-name": name} | more


def press(desk: Desk, button: str, form: dict[str, str]) -> Any:
    return desk.post(REVIEW, **form, **{button: "x"})


def offered(answer: Any) -> str:
    """The page's offer to replace a mapping."""
    found = re.search(r'name="save-replaces" value="([^"]+)"', answer.content.decode())
    assert found
    return found[1]


def own(owner: User) -> dict[str, Any]:
    return {row.name: row.mapping for row in SavedMapping.objects.filter(user=owner)}


def journal() -> list[tuple[Any, ...]]:
    rows = LogEntry.objects.order_by("pk")
    return [(row.user_id, row.action_flag, row.object_repr, row.change_message) for row in rows]


# --- saving ---


def test_what_the_page_shows_is_saved_for_whoever_the_file_is_of(root: Desk, jane: User) -> None:
    answer = press(root, "save", filled(root, jane, currency="EUR"))

    assert answer.status_code == 200
    assert "Saved as card, for jane." in answer.content.decode()
    assert "465000" in answer.content.decode()
    row = SavedMapping.objects.get()
    assert (row.user, row.name) == (jane, "card")
    assert row.mapping["columns"].keys() == COLUMNS
    assert row.mapping["columns"]["Date"] == {"role": "transaction_date", "format": "%m/%d/%y"}
    assert row.mapping["constants"] == {"transaction_type": "debit", "currency": "EUR"}
    assert journal() == [(root.user.pk, ADDITION, "card", f"Saved for user {jane.pk}.")]
    assert LogEntry.objects.get().object_id == str(row.pk)
    assert not Import.objects.exists()


def test_the_next_file_with_the_same_header_is_read_by_it(root: Desk, jane: User) -> None:
    press(root, "save", filled(root, jane))
    other = UserFactory.create()

    again = previewed(root, jane.pk, CARD_FILE)

    assert again.status_code == 200
    assert "The file has exactly the columns of card." in again.content.decode()
    assert fields(again)["by"] == fields(again)["save-name"] == "card"
    assert upload(ApiClient(jane), CARD_FILE).status_code == 202
    assert previewed(root, other.pk, CARD_FILE).status_code == 400
    assert previewed(root, root.user.pk, CARD_FILE).status_code == 400


def test_a_name_that_is_taken_is_offered_for_replacement_and_nothing_else_happens(
    root: Desk, jane: User
) -> None:
    press(root, "save", filled(root, jane))
    before = own(jane)

    answer = press(root, "save", filled(root, jane, currency="EUR"))

    assert answer.status_code == 400
    assert "jane has a mapping of this name." in answer.content.decode()
    assert offered(answer)
    assert fields(answer)["currency"] == "EUR"
    assert own(jane) == before
    assert len(journal()) == 1


def test_the_offer_is_taken_up_by_its_button(root: Desk, jane: User) -> None:
    press(root, "save", filled(root, jane))
    answer = press(root, "save", filled(root, jane, currency="EUR"))

    replaced = press(root, "replace", fields(answer))

    assert replaced.status_code == 200
    assert "Replaced as card, for jane." in replaced.content.decode()
    assert own(jane)["card"]["constants"]["currency"] == "EUR"
    assert journal()[1:] == [
        (root.user.pk, CHANGE, "card", f"Replaced for user {jane.pk}: version 2.")
    ]


def test_only_what_was_offered_is_replaced(root: Desk, jane: User) -> None:
    press(root, "save", filled(root, jane))
    press(root, "save", filled(root, jane, name="other"))
    form = fields(press(root, "save", filled(root, jane, currency="EUR")))
    before = own(jane)

    assert press(root, "replace", form | {"save-name": "other"}).status_code == 400
    assert press(root, "replace", form | {"save-replaces": ""}).status_code == 400
    assert own(jane) == before
    meanwhile = parsed(before["card"] | {"decimal": ","})
    saved.replace(
        row=SavedMapping.objects.get(user=jane, name="card"), name="card", mapping=meanwhile
    )
    late = press(root, "replace", form)

    assert late.status_code == 400
    assert own(jane)["card"] == meanwhile.as_json()
    assert press(root, "replace", form | {"save-replaces": offered(late)}).status_code == 200
    assert own(jane)["card"]["constants"]["currency"] == "EUR"


def test_a_second_click_saves_and_says_nothing_new(root: Desk, jane: User) -> None:
    form = filled(root, jane)
    press(root, "save", form)

    again = press(root, "save", form)

    assert again.status_code == 200
    assert "Already saved as card" in again.content.decode()
    assert SavedMapping.objects.get().version == len(journal()) == 1


def test_a_name_that_is_taken_meanwhile_is_offered_as_well(root: Desk, jane: User) -> None:
    form, mapping = filled(root, jane), parsed(CARD)

    answer = overtaken(
        call=lambda: press(root, "save", form),
        by=lambda: saved.save(user_id=jane.pk, name="card", mapping=mapping),
    )

    assert answer.status_code == 400
    assert offered(answer)
    assert own(jane) == {"card": mapping.as_json()}
    assert journal() == []


def test_a_replacement_that_is_overtaken_is_offered_again(root: Desk, jane: User) -> None:
    press(root, "save", filled(root, jane))
    form = fields(press(root, "save", filled(root, jane, currency="EUR")))
    row, mapping = SavedMapping.objects.get(), parsed(CARD)

    answer = overtaken(
        call=lambda: press(root, "replace", form),
        by=lambda: saved.replace(row=row, name="card", mapping=mapping),
    )

    assert answer.status_code == 400
    assert offered(answer) != form["save-replaces"]
    assert own(jane) == {"card": mapping.as_json()}
    assert len(journal()) == 1


@pytest.mark.parametrize("name", ["", "Upper", "a b", "a/b", "-a", "ä", "x" * 51])
def test_a_bad_name_is_told_at_its_field_and_nothing_typed_is_lost(
    root: Desk, jane: User, name: str
) -> None:
    form = filled(root, jane, name, currency="EUR", wallet="")
    form[column(form, "Comments") + "role"] = "description"

    answer = press(root, "save", form)

    assert answer.status_code == 400
    assert re.search(r'id="save">\s*<ul class="errorlist', answer.content.decode())
    shown = fields(answer)
    assert shown["save-name"] == name
    assert shown["currency"] == "EUR"
    assert shown[column(shown, "Comments") + "role"] == "description"
    assert not SavedMapping.objects.exists()


FAULTS = {
    ("Date", "detail", "%Q"): "`format` is a date&#x27;s, such as %d.%m.%Y.",
    ("Amount", "detail", "S=debit"): "Its words mean nothing.",
    ("", "encoding", "rot13"): "No known one, such as utf-8.",
    ("Amount", "role", "ignore"): "No column is an amount",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_mapping_with_faults_is_not_saved_and_nothing_typed_is_lost(
    root: Desk, jane: User, fault: tuple[str, str, str]
) -> None:
    name, field, value = fault
    form = filled(root, jane, "card")
    key = column(form, name) + field if name else field

    answer = press(root, "save", form | {key: value})

    assert answer.status_code == 400
    assert FAULTS[fault] in answer.content.decode()
    assert fields(answer)[key] == value
    assert fields(answer)["save-name"] == "card"
    assert not SavedMapping.objects.exists()


def test_beyond_the_limit_none_is_added_and_those_that_are_there_can_be_replaced(
    root: Desk, jane: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved, "MAX_SAVED", 1)
    press(root, "save", filled(root, jane))

    answer = press(root, "save", filled(root, jane, "other"))
    taken = press(root, "save", filled(root, jane, currency="EUR"))

    assert answer.status_code == 400
    assert "A user has at most 100 mappings." in answer.content.decode()
    assert press(root, "replace", fields(taken)).status_code == 200
    assert list(own(jane)) == ["card"]


def test_it_takes_the_right_to_record_and_ones_own_upload(root: Desk, jane: User) -> None:
    form = filled(root, jane)
    desk = clerk(RECORD)

    assert press(clerk("imports.add_savedmapping"), "save", form).status_code == 403
    assert press(desk, "save", form).status_code == 400
    assert not SavedMapping.objects.exists()

    assert press(desk, "save", filled(desk, jane)).status_code == 200
    assert own(jane)


@pytest.mark.django_db(transaction=False)
def test_what_cannot_be_written_down_is_not_saved(root: Desk, jane: User) -> None:
    form = filled(root, jane)
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION 'the disk is full'; END $$;"
            " CREATE TRIGGER refuse BEFORE INSERT ON django_admin_log"
            " FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

    assert press(root, "save", form).status_code == 500

    assert not SavedMapping.objects.exists()


# --- nothing of the file ---


@pytest.mark.parametrize("name", ["n26-fr.csv", "sparkasse_camt_v2.csv", "stripe-default.csv"])
def test_nothing_of_a_files_rows_is_kept(root: Desk, jane: User, name: str) -> None:
    form = fields(previewed(root, jane.pk, content(name))) | {"save-name": "card"}

    assert press(root, "save", form).status_code == 200

    mapping = SavedMapping.objects.get().mapping
    kept = json.dumps(mapping, ensure_ascii=False).casefold()
    header, roles = {each.casefold() for each in mapping["columns"]}, "credit debit booked pending"
    cells = {cell.strip('" ').casefold() for cell in re.split(r"[,;\t\n]", text(name))}
    words = {word for each in mapping["columns"].values() for word in each.get("values", {})}
    secret = {
        cell
        for cell in cells - {word.casefold() for word in words}
        if len(cell) > 4 and not any(cell in each for each in header) and cell not in roles
    }
    assert secret
    assert [cell for cell in secret if cell in kept] == []


@pytest.mark.parametrize("button", ["preview", "import", "save"])
def test_the_first_row_of_a_file_without_a_header_is_neither_lost_nor_kept(
    root: Desk, jane: User, button: str
) -> None:
    rows = b"2026-01-02;Ruth Roe;Cure;-4,50\r\n2026-01-03;Ben Nevis;Tea;-1,20\r\n"
    form = fields(previewed(root, jane.pk, rows)) | {"save-name": "bank"}
    form[column(form, "2026-01-02") + "role"] = "transaction_date"
    form[column(form, "-4,50") + "role"] = "signed_amount"

    answer = press(root, button, form)

    assert answer.status_code == 400
    assert "The file has no header" in answer.content.decode()
    assert not SavedMapping.objects.exists()
    assert not Import.objects.exists()


# --- choosing ---


def test_the_owners_and_those_that_come_with_fido_can_be_chosen(root: Desk, jane: User) -> None:
    press(root, "save", filled(root, jane, "mint"))
    press(root, "save", filled(root, root.user, "staffs-own"))

    page = previewed(root, jane.pk, content("chase.csv")).content.decode()

    (choice,) = re.findall(r'<select name="by".*?</select>', page, re.DOTALL)
    groups = re.findall(r'<optgroup label="([^"]+)">(.*?)</optgroup>', choice, re.DOTALL)
    names = {label: re.findall(r'value="([^"]+)"', options) for label, options in groups}
    assert names["of jane"] == ["mint"]
    assert "chase-card" in names["that come with Fido"]
    assert "mint" not in names["that come with Fido"]
    assert "staffs-own" not in page


def test_a_chosen_one_is_applied_and_can_be_imported(root: Desk, jane: User) -> None:
    press(root, "save", filled(root, jane, "plain"))
    press(root, "save", filled(root, jane, "euros", currency="EUR"))
    form = fields(previewed(root, jane.pk, CARD_FILE))

    chosen = press(root, "choose", form | {"by": "plain", "currency": "GBP"})

    assert chosen.status_code == 200
    assert fields(chosen)["currency"] == ""
    assert fields(chosen)["save-name"] == "plain"
    press(root, "import", fields(chosen))
    assert "currency" not in Import.objects.get().layout["mapping"]["constants"]


def test_one_that_comes_with_fido_is_chosen_by_name(root: Desk, jane: User) -> None:
    mapping = upload(ApiClient(jane), content("chase.csv")).json()["mapping"]
    mapping["columns"]["Amount"]["negate"] = True
    saved.save(user_id=jane.pk, name="mine", mapping=parsed(mapping))
    form = fields(previewed(root, jane.pk, content("chase.csv")))
    assert form["by"] == "mine"
    assert column(form, "Amount") + "negate" in form

    shown = fields(press(root, "choose", form | {"by": "chase-card"}))

    assert column(shown, "Amount") + "negate" not in shown


@pytest.mark.parametrize("by", ["", "gls", "nobodys", "x" * 100])
def test_one_that_does_not_fit_is_told_at_its_field_and_nothing_typed_is_lost(
    root: Desk, jane: User, by: str
) -> None:
    form = filled(root, jane, "typed", currency="EUR")

    answer = press(root, "choose", form | {"by": by})

    assert answer.status_code == 400
    assert re.search(r'id="choice">\s*<ul class="errorlist', answer.content.decode())
    assert fields(answer)["currency"] == "EUR"
    assert fields(answer)["save-name"] == "typed"


def test_every_button_works_without_what_another_ones_fields_need(root: Desk, jane: User) -> None:
    page = previewed(root, jane.pk, CARD_FILE).content.decode()
    form = page[page.index('id="review_form"') :]

    assert " required" not in form
    first = re.search(r'<input type="submit" name="(\w+)"', form)
    assert first
    assert first[1] == "preview"  # which Enter presses, wherever it is pressed
