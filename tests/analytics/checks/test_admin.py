"""The staff page of what standing checks have found."""

import pytest
from django.db.models import F

from accounts.models import User
from analytics.checks import operations, queries
from analytics.checks.models import CheckedRange, Finding
from analytics.models import DailyTotals
from tests.factories import StaffFactory
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
LIST = "checks/finding/"


@pytest.fixture
def desk(db: None) -> Desk:
    return clerk("checks.view_finding")


def broken(user: User) -> Finding:
    DailyTotals.objects.filter(user=user).update(count=F("count") + 1)
    operations.run_round(seconds=60)
    return Finding.objects.get()


def test_where_all_is_well_it_says_so_and_when_that_was(desk: Desk, user: User) -> None:
    operations.run_round(seconds=60)

    page = desk.text(LIST)

    latest = CheckedRange.objects.get().checked_at
    assert "All is well." in page
    assert f"Last checked at {latest:%Y-%m-%d %H:%M:%S} UTC" in page
    assert "No check runs" not in page


def test_each_finding_is_shown_by_the_users_id_alone(desk: Desk, user: User) -> None:
    row = broken(user)

    page, opened = desk.text(LIST), desk.text(f"{LIST}{row.pk}/change/")

    assert "All is well." not in page
    assert "the totals&#x27; count is 1 too high" in page
    assert f"{row.since:%Y-%m-%d %H:%M:%S}" in opened
    assert all(user.username not in text for text in (page, opened))
    assert list(desk.get(LIST, q=str(user.pk)).context["cl"].result_list) == [row]
    assert list(desk.get(LIST, kind__exact="balances").context["cl"].result_list) == []


def test_checks_that_stand_still_are_not_well(desk: Desk, user: User) -> None:
    assert "nobody has been checked yet" in desk.text(LIST)
    operations.run_round(seconds=60)
    CheckedRange.objects.update(checked_at=F("checked_at") - 2 * queries.LATE_AFTER)

    page = desk.text(LIST)

    assert "No check runs: the last one was at" in page
    assert "All is well." not in page


def test_it_takes_the_permission_and_nobody_changes_a_finding(user: User) -> None:
    row, root = broken(user), Desk(StaffFactory.create())
    before = Finding.objects.values().get()

    assert clerk("analytics.view_dailytotals").get(LIST).status_code == 403
    for page in ("add/", f"{row.pk}/change/", f"{row.pk}/delete/"):
        assert root.post(LIST + page, count="7", post="yes").status_code == 403
    assert Finding.objects.values().get() == before
