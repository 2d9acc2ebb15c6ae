"""Checks while others write, and rows that a check cannot read in time."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from accounts.models import User
from accounts.wallets.models import Wallet
from analytics.checks import operations
from analytics.checks.models import CheckedRange, Finding
from tests.factories import record
from tests.races import and_disconnect
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(call: Callable[[], object]) -> None:
    """Call it over another connection, and wait until that is done."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(and_disconnect, call).result()


def test_a_write_between_any_two_statements_is_no_difference(user: User) -> None:
    main = Wallet.objects.get(user=user).pk

    def overtaken(execute: Callable[..., Any], *statement: Any) -> Any:
        elsewhere(lambda: record(user, wallet_id=main))
        return execute(*statement)

    with connection.execute_wrapper(overtaken):
        operations.check(user.pk)

    assert Transaction.objects.filter(user=user).count() >= 2 + 3
    assert list(Finding.objects.values()) == []


def test_rows_that_take_too_long_are_a_finding_until_they_are_checked(
    user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "STATEMENT_SECONDS", 1)

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE analytics_dailytotals IN ACCESS EXCLUSIVE MODE")
        elsewhere(lambda: operations.run_round(seconds=60))
    found = list(Finding.objects.values_list("user_id", "kind", "count", "first"))
    passed = CheckedRange.objects.get().last_user_id
    elsewhere(lambda: operations.run_round(seconds=60))

    assert found == [(user.pk, "unchecked", 1, "QueryCanceled")]
    assert passed == user.pk
    assert not Finding.objects.exists()
