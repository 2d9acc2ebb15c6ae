"""A standing check finds what was altered by hand, says so once, and repairs nothing."""

import logging
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.models import User
from accounts.wallets.models import Balance
from analytics.checks import tasks
from analytics.checks.models import Finding
from analytics.checks.operations import check
from analytics.models import DailyTotals
from fido.lib.values.metrics import CHECKED_USERS
from tests.factories import UserFactory, record
from tests.queue import all_taken
from transactions.models import Transaction

pytestmark = pytest.mark.django_db

TOTAL = "UPDATE analytics_dailytotals SET credit = credit + 1"
BALANCE = "UPDATE wallets_balance SET amount = amount + 1"
AMOUNT = """
UPDATE transactions_transaction SET transaction_amount = transaction_amount + 1
WHERE wallet_id IS NOT NULL
"""
LOST = "DELETE FROM transactions_transaction"
DAY = "2026-01-31, USD: the totals'"
TOTAL_LACKS = f"{DAY} credit is 1.0000 too high"
AMOUNT_LACKS = f"{DAY} credit is 1.0000 too low"
LOST_LACKS = f"{DAY} count is 2 too high, credit is 10.0000 too high, debit is 4.0000 too high"


def damage(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        assert cursor.rowcount > 0


def findings() -> list[tuple[int, str, int, str]]:
    rows = Finding.objects.order_by("user_id", "-kind")
    return list(rows.values_list("user_id", "kind", "count", "first"))


def everything() -> list[object]:
    return [list(model.objects.values()) for model in (Transaction, DailyTotals, Balance)]


@pytest.mark.parametrize(
    ("statement", "totals", "balance"),
    [
        (TOTAL, TOTAL_LACKS, None),
        (BALANCE, None, "16.0000 instead of 15.0000"),
        (AMOUNT, AMOUNT_LACKS, "15.0000 instead of 16.0000"),
        (LOST, LOST_LACKS, "15.0000 instead of 5.0000"),
    ],
    ids=["total", "balance", "amount", "transactions lost"],
)
def test_the_next_round_reports_what_was_altered_and_repairs_nothing(
    user: User, statement: str, totals: str | None, balance: str | None
) -> None:
    damage(statement)
    before = everything()

    tasks.run_round()

    where = f"wallet {Balance.objects.get().wallet_id}, USD"
    expected = [("totals", totals), ("balances", balance and f"{where}: {balance}")]
    assert findings() == [(user.pk, kind, 1, first) for kind, first in expected if first]
    assert everything() == before


def test_sound_rows_are_no_finding_folded_or_not(user: User) -> None:
    record(user)
    record(UserFactory.create())
    before = CHECKED_USERS._value.get()

    tasks.run_round()

    assert findings() == []
    # The first one as a recent writer too.
    assert CHECKED_USERS._value.get() == before + 3


def test_all_differences_of_a_kind_are_one_finding(user: User) -> None:
    record(user, currency="EUR")
    damage(TOTAL)

    check(user.pk)

    ((_, kind, number, first),) = findings()
    assert (kind, number) == ("totals", 2)
    assert first.startswith("2026-01-31, EUR: ")


def test_a_finding_stays_as_long_as_the_difference(user: User) -> None:
    damage(TOTAL)
    damage(BALANCE)
    check(user.pk)
    since = Finding.objects.get(kind="totals").since
    damage(TOTAL)

    check(user.pk)

    row = Finding.objects.get(kind="totals")
    assert (row.first, row.since) == (TOTAL_LACKS.replace("1.0000", "2.0000"), since)
    call_command("check_totals", "--repair")
    check(user.pk)
    assert [kind for _, kind, _, _ in findings()] == ["balances"]
    Balance.objects.update(amount=Decimal("15.00"))
    check(user.pk)
    assert findings() == []


def test_a_new_finding_is_logged_once_and_without_amounts(
    user: User, caplog: pytest.LogCaptureFixture
) -> None:
    damage(TOTAL)

    check(user.pk)
    check(user.pk)

    errors = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert errors == [f"A check of user {user.pk} found: totals (1)."]


@pytest.mark.parametrize("seconds", [0, 10])
def test_no_round_where_none_is_wanted_or_one_is_under_way(
    user: User, settings: Any, seconds: int
) -> None:
    settings.CHECK_SECONDS = seconds
    damage(TOTAL)

    if seconds:
        with all_taken(tasks.ROUNDS):
            tasks.run_round()
    else:
        tasks.run_round()

    assert findings() == []


def test_the_commands_say_the_same(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    damage(AMOUNT)
    check(user.pk)

    for command in ("check_totals", "reconcile_wallets"):
        with pytest.raises(CommandError, match="1 users, 1 differences"):
            call_command(command)

    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"user {user.pk}, {first}" for _, _, _, first in findings()]
