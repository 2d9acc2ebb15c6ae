"""`manage.py backtest_alerts` and its page: hypothetical alerts compared with actual ones."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import User
from analytics.alerts import backtest, queries
from analytics.alerts.admin import backtest as backtest_pages
from analytics.alerts.admin.chart import MOST_BARS, drawn
from analytics.alerts.backtest import Counts, Question
from analytics.alerts.models import Alert, Rule
from analytics.alerts.rules import parsed
from fido.lib.values.clock import ONE_DAY, Period
from tests.alerts import START, alerts_of, check_all, random_stream, recorded, stream
from tests.factories import StaffFactory, UserFactory
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
DAY = 24 * 3600


def rule(code: int) -> Rule:
    return Rule.objects.get(code=code)


def tried(code: int, *arguments: str) -> list[str]:
    out = StringIO()
    call_command("backtest_alerts", f"--rule={rule(code).pk}", *arguments, stdout=out)
    return out.getvalue().splitlines()


@pytest.fixture
def history(db: None) -> list[User]:
    """Two users with withdrawals on three days, already checked."""
    users = UserFactory.create_batch(2)
    for user in users:
        for event in stream(f"-101@0 -151@1 -201@{DAY} -101@{2 * DAY}"):
            recorded(user, event)
        check_all(user)
    return users


def test_with_the_rule_as_it_was_both_counts_are_the_same(history: list[User]) -> None:
    assert tried(1100) == [
        "2026-01-31: would 4, was 4",
        "2026-02-01: would 2, was 2",
        "2026-02-02: would 2, was 2",
        "LargeWithdrawal(amount=Decimal('100'))",
        "2 users, 3 days with alerts: 8 would have been raised, 8 were.",
    ]


def test_another_threshold_a_period_and_one_user(history: list[User]) -> None:
    lines = tried(1100, "--set", "amount=150", "--since=2026-02-01", "--until=2026-02-02")
    assert lines[:2] == ["2026-02-01: would 2, was 2", "2026-02-02: would 0, was 2"]

    lines = tried(1100, "--set=amount=150", f"--user={history[0].pk}")
    assert lines[-1] == "1 users, 3 days with alerts: 2 would have been raised, 4 were."
    assert Alert.objects.filter(code=1100).count() == 8


def test_what_lies_before_the_period_is_seen(history: list[User]) -> None:
    assert tried(30, "--since=2026-02-02")[0] == "2026-02-02: would 2, was 2"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--rule=0"], "There is no rule 0. Existing rules: "),
        (["--set=amount"], "Not a NAME=VALUE: amount"),
        (["--set=amount=-1"], "amount: The amount must be"),
        (["--set=count=1"], "count: Unknown"),
        (["--since=soon"], "Use an ISO 8601 date or time"),
        (["--user=0"], "There is no user 0."),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        call_command("backtest_alerts", f"--rule={rule(1100).pk}", *arguments)


def test_random_streams_are_replayed_as_they_were_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE_OF_STREAM", 3)
    for seed in range(100, 130):
        user = UserFactory.create()
        for event in random_stream(seed):
            recorded(user, event)
        check_all(user)
        replayed: dict[str, list[int]] = {}
        for row in Rule.objects.all():
            question = Question(row.pk, parsed(row.kind, row.parameters), "USD", Period())
            for event in backtest.would_raise(question, user.pk):
                replayed.setdefault(str(event.id), []).append(row.code)
        assert replayed == alerts_of(user)


# --- the page ---


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(StaffFactory.create(username="root"))


def page_of(code: int) -> str:
    return f"alerts/rule/{rule(code).pk}/backtest/"


PERIOD = {"since": "2026-01-01", "until": "2026-02-28"}


def test_the_page_shows_both_counts_and_a_chart(root: Desk, history: list[User]) -> None:
    page = root.text(page_of(1100), amount="150", **PERIOD)

    assert "4 would have been raised, 8 were." in page
    assert page.count("<rect ") == 6
    assert "<title>2026-01-31: would 2</title>" in page
    svg = page[page.index("<svg viewBox") : page.index("</table>")]
    assert "style=" not in svg
    assert "script" not in svg
    assert page_of(1100).split("/", 1)[1] in root.text(f"alerts/rule/{rule(1100).pk}/change/")


def test_the_page_as_it_is_opened_is_about_the_last_days(root: Desk) -> None:
    assert "0 would have been raised, 0 were." in root.text(page_of(123))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"amount": "many"}, "An amount is a decimal number"),
        ({"since": "soon"}, "Enter a valid date."),
        ({"until": "2025-01-01"}, "The last day is before the first one."),
    ],
)
def test_what_makes_no_sense_is_refused_on_the_page(
    root: Desk, change: dict[str, str], sentence: str
) -> None:
    answer = root.get(page_of(1100), **(PERIOD | change))

    assert answer.status_code == 400
    assert sentence in answer.content.decode()


def test_the_page_ends_in_time_and_says_so(
    root: Desk, history: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtest_pages, "SECONDS", -1)

    page = root.text(page_of(1100), **PERIOD)

    assert "Not all users: time ran out." in page


def test_the_page_is_for_who_may_see_rules_and_alerts(root: Desk) -> None:
    assert clerk("alerts.view_rule").get(page_of(30)).status_code == 403
    assert clerk("alerts.view_rule", "alerts.view_alert").get(page_of(30)).status_code == 200
    assert root.get("alerts/rule/0/backtest/").status_code == 404


def test_a_damaged_rule_has_a_page_that_says_so(root: Desk) -> None:
    damaged: Any = rule(1100)
    Rule.objects.filter(pk=damaged.pk).update(kind="horoscope", parameters=[])

    answer = root.get(f"alerts/rule/{damaged.pk}/backtest/")

    assert answer.status_code == 400
    assert "There is no kind" in str(answer.context["form"].errors)


def test_many_days_stand_together() -> None:
    days = {(START + n * ONE_DAY).date(): Counts(1, 2) for n in range(3 * MOST_BARS)}

    chart = drawn(days)

    assert chart is not None
    assert (len(chart.bars), chart.highest) == (2 * MOST_BARS, 6)
