"""The staff list of transactions, as a file."""

import csv
import io
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest

from accounts.models import AccessLogEntry, User
from tests.client import ApiClient
from tests.factories import StaffFactory, UserFactory, record
from tests.histories import add_copies
from tests.staff import HIDDEN, Desk, clerk, damage, refuse_entries
from transactions.files.columns import NAMES as COLUMNS
from transactions.files.formats import MASKED_NAMES as MASKED_COLUMNS

LIST, EXPORT = "transactions/transaction/", "transactions/transaction/export/"
VIEW, OPEN = "transactions.view_transaction", "accounts.view_personal_data"

pytestmark = pytest.mark.django_db


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(StaffFactory.create(username="root"))


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane")


def rows(answer: Any) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.content
    text = answer.getvalue().decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def links(desk: Desk, **parameters: Any) -> dict[str, str]:
    """The export links on the list's page, by label; below `/admin/`."""
    found = re.findall(
        r'<a href="/admin/([^"]+)">(Export [^<]+)</a>', desk.text(LIST, **parameters)
    )
    return {title: unescape(url) for url, title in found}


def test_the_list_leads_to_a_file_of_all_that_it_shows(root: Desk, jane: User) -> None:
    record(jane, full_name="=Jane Doe", description="a secret gift")
    record(UserFactory.create(), transaction_date=datetime(2026, 2, 1, tzinfo=UTC))

    answer = root.get(links(root)["Export CSV"])

    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="transactions.csv"'
    assert "no-store" in answer.headers["Cache-Control"]
    table = rows(answer)
    assert list(table[0]) == list(MASKED_COLUMNS)
    assert [row["transaction_date"][:10] for row in table] == ["2026-02-01", "2026-01-31"]
    assert (table[1]["masked_full_name"], table[1]["masked_description"]) == (
        f"'={HIDDEN} D{HIDDEN}",
        HIDDEN,
    )
    assert not AccessLogEntry.objects.exists()


def test_it_keeps_the_filters_and_the_search_and_goes_beyond_the_page(
    root: Desk, jane: User
) -> None:
    add_copies(record(jane, transaction_type="debit"), 1500)
    record(jane)
    record(UserFactory.create(), transaction_type="debit")

    url = links(root, q="jane", transaction_type__exact="debit", p="2")["Export CSV"]

    table = rows(root.get(url))
    assert {(row["user_id"], row["transaction_type"]) for row in table} == {(str(jane.pk), "debit")}
    assert len(table) == 1501


def test_names_of_one_user_are_in_clear_under_a_link_of_their_own(root: Desk, jane: User) -> None:
    record(jane, description="a secret gift")
    record(jane, transaction_type="debit")
    record(UserFactory.create(), external_id="jane")  # the search finds it too
    desk = clerk(VIEW, OPEN)

    url = links(desk, q="jane", transaction_type="credit")["Export CSV of jane with names"]
    table = rows(desk.get(url))

    assert list(table[0]) == list(COLUMNS)
    assert [(row["full_name"], row["description"]) for row in table] == [
        ("Jane Doe", "a secret gift")
    ]
    entry = AccessLogEntry.objects.get()
    assert (entry.actor, entry.subject, entry.route) == (desk.user, jane, "admin")
    assert entry.what == "export of transactions"


def test_there_is_no_such_link_where_nobody_or_two_are_found(root: Desk, jane: User) -> None:
    UserFactory.create(username=str(jane.pk))

    for q in ("", "nobody", "999999999", str(jane.pk)):
        assert list(links(root, q=q)) == ["Export CSV"]


def test_who_may_not_open_names_is_not_led_there_and_does_not_get_there(jane: User) -> None:
    record(jane)
    desk = clerk(VIEW)

    assert list(links(desk, q="jane")) == ["Export CSV"]
    answer = desk.get(f"{EXPORT}{jane.pk}/")
    assert answer.status_code == 403
    assert b"Jane" not in answer.content
    assert not AccessLogEntry.objects.exists()


def test_what_cannot_be_written_down_is_not_sent(root: Desk, jane: User) -> None:
    record(jane)
    refuse_entries()

    answer = root.get(f"{EXPORT}{jane.pk}/")

    assert answer.status_code == 500
    assert b"Jane" not in answer.content


def test_of_nobody_there_is_no_file(root: Desk, jane: User) -> None:
    assert root.get(f"{EXPORT}999999999/").status_code == 404
    assert root.get(f"{EXPORT}0/").status_code == 404
    assert not AccessLogEntry.objects.exists()


@pytest.mark.parametrize("permissions", [[], [OPEN], ["accounts.view_user"]])
def test_who_may_not_see_the_list_gets_no_file(jane: User, permissions: list[str]) -> None:
    record(jane)
    desk = clerk(*permissions)

    assert desk.get(EXPORT).status_code == desk.get(f"{EXPORT}{jane.pk}/").status_code == 403


def test_a_customer_is_asked_to_log_in(ada: ApiClient) -> None:
    assert ada.user
    location = Desk(ada.user).get(EXPORT).headers["Location"]

    assert location.startswith("/admin/login/")


@pytest.mark.parametrize(("name", "value"), [("full_name", "Jane"), ("transaction_date__gte", "x")])
def test_a_filter_that_cannot_be_answered_leads_back_to_the_list(
    root: Desk, name: str, value: str
) -> None:
    assert root.get(EXPORT, **{name: value}).headers["Location"] == f"/admin/{LIST}?e=1"


def test_only_reading_leads_there(root: Desk) -> None:
    assert root.post(EXPORT).status_code == 405


def test_a_damaged_token_leaves_the_file_whole(root: Desk, jane: User) -> None:
    damage(record(jane), "full_name")
    record(jane)

    names = {row["full_name"] for row in rows(root.get(f"{EXPORT}{jane.pk}/"))}

    assert names == {"", "Jane Doe"}


@pytest.mark.django_db(transaction=True)
def test_beside_a_running_export_one_is_told_to_wait(root: Desk, jane: User) -> None:
    add_copies(record(jane), 2000)
    running = root.get(EXPORT)
    next(iter(running.streaming_content))

    second = root.get(EXPORT, q="jane")
    running.close()

    assert second.headers["Location"] == f"/admin/{LIST}?q=jane"
    assert "Too many exports are running" in root.text(LIST, q="jane")
    assert len(rows(root.get(EXPORT, q="jane"))) == 2001
