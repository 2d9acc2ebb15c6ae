"""Checks while others write, and rows that a check cannot read in time."""

import threading

import pytest
from django.db import connection, connections, transaction

from accounts.models import User
from analytics.checks import operations
from analytics.checks.models import CheckedRange, Finding
from analytics.operations import fold_everybody
from tests.factories import UserFactory, record, wallet
from tests.movements import Movements
from tests.races import and_disconnect, at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_write_that_goes_on_is_no_difference() -> None:
    users = UserFactory.create_batch(2)
    main = wallet(users[1]).pk
    enough = threading.Event()

    def write() -> None:
        movements = Movements(users[:1], seed=7)
        while not enough.is_set():
            movements.step()
            record(users[1], wallet_id=main)
            fold_everybody()

    def check() -> None:
        try:
            for _ in range(150):
                for user in users:
                    operations.check(user.pk)
        finally:
            enough.set()

    at_once(write, check)

    assert list(Finding.objects.values()) == []


def test_rows_that_take_too_long_are_a_finding_until_they_are_checked(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "STATEMENT_SECONDS", 1)

    def round_in_a_thread() -> None:
        thread = threading.Thread(
            target=lambda: and_disconnect(lambda: operations.run_round(seconds=60))
        )
        thread.start()
        thread.join()

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE analytics_dailytotals IN ACCESS EXCLUSIVE MODE")
        round_in_a_thread()
    found = list(Finding.objects.values_list("user_id", "kind", "count", "first"))
    passed = CheckedRange.objects.get().last_user_id
    round_in_a_thread()

    assert found == [(user.pk, "unchecked", 1, "QueryCanceled")]
    assert passed == user.pk
    assert not Finding.objects.exists()
    connections.close_all()
