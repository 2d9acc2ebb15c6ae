"""The admin page of rates: which are in force, how old they are, and what went wrong."""

from datetime import timedelta

import pytest

from accounts.rates import kept, operations, queries
from accounts.rates.models import PublishedTable, SyncState
from accounts.rates.published import BadRates
from fido.lib.values import clock
from tests.bank import TODAY, StubBank, says
from tests.factories import StaffFactory
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
LIST = "rates/publishedtable/"


@pytest.fixture
def desk(db: None) -> Desk:
    return clerk("rates.view_publishedtable")


def test_without_a_bank_the_table_that_ships_is_shown_and_named(desk: Desk) -> None:
    page = " ".join(desk.text(LIST).split())

    assert "The table that ships with Fido, for demonstrations only" in page
    assert "Of 2026-01-30: <strong>stale</strong>." in page
    assert "<tr><th>USD</th><td>3.5600</td><td>3.5244</td><td>3.5956</td></tr>" in page


def test_the_table_in_force_is_shown_with_its_age(desk: Desk, open_bank: StubBank) -> None:
    operations.sync_now(open_bank.url, accept=False)
    SyncState.objects.update(fetched_at=clock.now() - timedelta(hours=5))
    kept.refresh(queries.stored)

    page = " ".join(desk.text(LIST).replace("\xa0", " ").split())

    assert f"The bank’s. Of {TODAY}, fetched 5 hours ago" in page
    assert "<tr><th>JPY</th><td>0.0250</td><td>–</td><td>–</td></tr>" in page
    assert "errornote" not in page


def test_a_refusal_is_shown_and_what_can_be_done(desk: Desk, open_bank: StubBank) -> None:
    operations.sync_now(open_bank.url, accept=False)
    open_bank.answers["A"] = says(b"<xml/>")
    with pytest.raises(BadRates):
        operations.sync_now(open_bank.url, accept=False)

    page = desk.text(LIST)

    assert "nothing new is taken (not-json): Table A is not valid JSON." in page
    assert "manage.py sync_rates --accept" in page


def test_before_the_first_table_the_page_says_so(desk: Desk, bank: StubBank) -> None:
    assert "None: the bank has delivered no rates yet." in desk.text(LIST)


def test_history_is_listed_and_read(desk: Desk, open_bank: StubBank) -> None:
    operations.sync_now(open_bank.url, accept=False)
    row = PublishedTable.objects.get(letter="C")

    rows = list(desk.get(LIST).context["cl"].result_list)

    assert [each.letter for each in rows] == ["A", "C"]
    assert "<div>EUR: ask 4.30, bid 4.20</div>" in desk.text(f"{LIST}{row.pk}/change/")


def test_nobody_changes_rates_here(open_bank: StubBank) -> None:
    operations.sync_now(open_bank.url, accept=False)
    before = list(PublishedTable.objects.values())
    desk = Desk(StaffFactory.create())

    for page in ("add/", f"{before[0]['id']}/change/", f"{before[0]['id']}/delete/"):
        assert desk.post(LIST + page, letter="A", post="yes").status_code == 403

    assert list(PublishedTable.objects.values()) == before
    assert clerk().get(LIST).status_code == 403
