"""Rules that are off, damaged, changed or missing while transactions are checked."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from analytics.alerts.models import PendingCheck, Rule
from tests.alerts import (
    check_all,
    codes,
    recorded,
    stream,
)
from tests.client import ApiClient
from tests.imports import csv, imported

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_a_rule_that_is_off_or_damaged_nothing_is_raised_and_the_others_go_on(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    Rule.objects.filter(code=1100).update(parameters={"amount": "many"})
    Rule.objects.filter(code=123).update(kind="no-such-kind")
    Rule.objects.filter(code=300).update(enabled=False)
    for event in stream("+1@0 +2@1 +300@2 -500@3 -500@4 -500@5"):
        recorded(user, event)

    check_all(user)

    assert codes(user) == [30]
    assert "has invalid parameters" in caplog.text
    assert not PendingCheck.objects.filter(user_id=user.pk).exists()


def test_a_rule_that_has_changed_applies_from_the_next_check(user: User) -> None:
    for amount in ("50", "200"):
        Rule.objects.filter(code=1100).update(parameters={"amount": amount})
        recorded(user, stream("-100@0")[0])
        recorded(user, stream("+1@0")[0])
        check_all(user)

    assert codes(user) == [1100]


def test_a_damaged_rule_is_logged_at_each_check(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    Rule.objects.filter(code=1100).update(parameters={"amount": "many"})
    for _ in range(2):
        recorded(user, stream("+1@0")[0])
        check_all(user)

    assert caplog.text.count("has invalid parameters") == 2


def test_of_a_currency_without_rules_no_past_is_read(user: User) -> None:
    recorded(user, stream("-101@0")[0], currency="EUR")

    with CaptureQueriesContext(connection) as statements:
        check_all(user)

    assert not PendingCheck.objects.exists()
    pasts = [each for each in statements.captured_queries if "this.place" in each["sql"]]
    assert (len(pasts), codes(user)) == (0, [])


def test_without_any_rule_nothing_stays_to_be_checked(ada: ApiClient, small_steps: None) -> None:
    assert ada.user
    Rule.objects.update(enabled=False)
    imported(ada, csv(*["2026-01-31,100.01,debit"] * 20))

    check_all(ada.user)

    assert not PendingCheck.objects.filter(user_id=ada.user_id).exists()
