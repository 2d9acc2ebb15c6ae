"""`manage.py check_totals` finds any damage to the totals, and repairs it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections, transaction

from accounts.models import User
from analytics import operations, queries
from analytics.models import DailyTotals
from fido.lib.process.database import no_limits
from fido.lib.values.clock import Period
from tests.factories import UserFactory, record
from tests.movements import FoldingThread, Movements, assert_exact, recomputed
from tests.races import DEADLINE_SECONDS
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(db: None) -> User:
    """One day with a credit of 10.00 and a debit of 4.00 in USD, folded."""
    user = UserFactory.create()
    record(user, transaction_amount=Decimal("10.00"))
    record(user, transaction_amount=Decimal("4.00"), transaction_type="debit")
    operations.fold([user.pk])
    return user


def check(*arguments: str) -> list[str]:
    """The lines on standard output of a successful check."""
    out = StringIO()
    call_command("check_totals", *arguments, stdout=out)
    return out.getvalue().splitlines()


def failing_check(*arguments: str) -> tuple[list[str], str]:
    """The lines on standard output and the last sentence of a failing check."""
    out = StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command("check_totals", *arguments, stdout=out)
    return out.getvalue().splitlines(), str(refusal.value)


def damage(statement: str, **parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        assert cursor.rowcount > 0


def test_sound_totals_have_no_difference_folded_or_not(user: User) -> None:
    record(UserFactory.create())

    assert check() == ["2 users, no difference."]


DELETE_FOLDED = "DELETE FROM analytics_dailytotals WHERE NOT pending"
ALTER_COUNT = "UPDATE analytics_dailytotals SET count = count + 5"
ALTER_AMOUNT = "UPDATE analytics_dailytotals SET credit = credit - 0.0001"
MOVE_DAY = "UPDATE analytics_dailytotals SET day = day + 1"
REPEAT_AS_PENDING = """
INSERT INTO analytics_dailytotals (id, user_id, day, currency, pending, count, credit, debit)
SELECT gen_random_uuid(), user_id, day, currency, true, count, credit, debit
FROM analytics_dailytotals
"""
REPEAT_ONE_AS_PENDING = REPEAT_AS_PENDING + "WHERE count <> 0 LIMIT 1"
RECORD_PAST_THE_SERVICE = "DELETE FROM transactions_transaction WHERE transaction_type = 'debit'"
LOSE_ALL_TRANSACTIONS = "DELETE FROM transactions_transaction"
OFF = {
    f"all_{off}": f"the totals' count is 2 too {off}, credit is 10.0000 too {off},"
    f" debit is 4.0000 too {off}"
    for off in ("low", "high")
}


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        (
            DELETE_FOLDED,
            ["2026-01-31, USD: {all_low}"],
        ),
        (ALTER_COUNT, ["2026-01-31, USD: the totals' count is 5 too high"]),
        (ALTER_AMOUNT, ["2026-01-31, USD: the totals' credit is 0.0001 too low"]),
        (
            MOVE_DAY,
            [
                "2026-01-31, USD: {all_low}",
                "2026-02-01, USD: {all_high}",
            ],
        ),
        (
            REPEAT_AS_PENDING,
            ["2026-01-31, USD: {all_high}"],
        ),
        (
            RECORD_PAST_THE_SERVICE,
            ["2026-01-31, USD: the totals' count is 1 too high, debit is 4.0000 too high"],
        ),
        (
            LOSE_ALL_TRANSACTIONS,
            ["2026-01-31, USD: {all_high}"],
        ),
    ],
    ids=["rows lost", "count", "amount", "day", "rows repeated", "debits lost", "all lost"],
)
def test_each_damage_is_found_exactly_and_healed(
    user: User, statement: str, lines: list[str]
) -> None:
    expected = [f"user {user.pk}, {line.format(**OFF)}" for line in lines]
    damage(statement)

    found, sentence = failing_check()
    repaired = check("--repair")

    assert found == expected
    assert sentence.startswith(f"1 users, {len(lines)} differences:")
    assert repaired == [*expected, f"1 users, {len(lines)} differences, all of them repaired."]
    assert check() == ["1 users, no difference."]
    rows = list(Transaction.objects.filter(user_id=user.pk))
    assert queries.summary(user_id=user.pk, period=Period()) == recomputed(user, rows)


def test_a_check_repairs_nothing(user: User) -> None:
    damage(ALTER_COUNT)
    before = list(DailyTotals.objects.values())

    failing_check()

    assert list(DailyTotals.objects.values()) == before


def test_only_the_users_asked_for_are_looked_at(user: User) -> None:
    damaged = UserFactory.create()
    record(damaged)
    damage("DELETE FROM analytics_dailytotals WHERE user_id = %(user_id)s", user_id=damaged.pk)

    lines, _ = failing_check("--user", str(user.pk), str(damaged.pk))

    assert check("--user", str(user.pk)) == ["1 users, no difference."]
    assert lines == [
        f"user {damaged.pk}, 2026-01-31, USD: "
        "the totals' count is 1 too low, credit is 10.0000 too low"
    ]


def test_an_unknown_user_is_named(user: User) -> None:
    lines, sentence = failing_check("--user", str(user.pk), str(user.pk + 1))

    assert lines == []
    assert sentence == f"There is no user {user.pk + 1}."


def test_every_user_is_in_some_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.queries.USERS_IN_A_BATCH", 2)
    users = UserFactory.create_batch(5)
    for each in users:
        record(each)
    damage(DELETE_FOLDED.replace("NOT pending", "pending"))

    lines, sentence = failing_check()

    assert [line.split(",")[0] for line in lines] == [f"user {each.pk}" for each in users]
    assert sentence.startswith("5 users, 5 differences:")


def test_nobody_is_told_by_name(user: User, capsys: pytest.CaptureFixture[str]) -> None:
    damage(ALTER_COUNT)

    lines, sentence = failing_check()

    everything = "".join([*lines, sentence, *capsys.readouterr()])
    assert str(user.full_name) not in everything
    assert user.username not in everything


def test_the_limit_on_statements_is_lifted_for_the_check_alone(user: User) -> None:
    def limit() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            return str(cursor.fetchone()[0])

    usual = limit()
    with no_limits():
        lifted = limit()

    assert (lifted, limit()) == ("0", usual)
    assert usual != "0"


@contextmanager
def writing_and_folding(users: list[User]) -> Iterator[None]:
    """Random writes and folds in two other threads, without pause."""
    enough, steps = threading.Event(), 0

    def write() -> None:
        nonlocal steps
        movements = Movements(users, seed=7)
        while not enough.is_set() or steps < 100:
            movements.step()
            steps += 1
        connections.close_all()

    folder, writer = FoldingThread(users), threading.Thread(target=write)
    folder.start()
    writer.start()
    try:
        yield
    finally:
        enough.set()
        writer.join()
        folder.stop.set()
        folder.join()


@pytest.mark.django_db(transaction=True)
def test_a_repair_is_exact_while_people_write() -> None:
    users = UserFactory.create_batch(3)
    with writing_and_folding(users):
        for user in users:
            record(user)
        for _ in range(10):
            damage(REPEAT_ONE_AS_PENDING)
            check("--repair")
            assert queries.differences([each.pk for each in users]) == []

    assert check() == ["3 users, no difference."]
    for each in users:
        assert_exact(each)


def waits_for_a_repair() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
            " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])


@pytest.mark.django_db(transaction=True)
def test_two_repairs_at_once_correct_a_difference_once(user: User) -> None:
    damage(DELETE_FOLDED)
    lines: list[str] = []

    def repair() -> None:
        lines.extend(check("--repair"))
        connections.close_all()

    second = threading.Thread(target=repair)
    with transaction.atomic():
        operations.repair([user.pk])
        second.start()
        deadline = time.monotonic() + DEADLINE_SECONDS
        while second.is_alive() and not waits_for_a_repair() and time.monotonic() < deadline:
            time.sleep(0.01)
    second.join()

    assert lines == ["1 users, no difference."]
    assert DailyTotals.objects.get().count == 2
