"""A user with sound rows, and a clock that moves by one second for each user checked."""

from decimal import Decimal
from itertools import count
from types import SimpleNamespace

import pytest

from accounts.models import User
from analytics.checks import operations
from analytics.operations import fold_everybody
from tests.factories import UserFactory, record, wallet


@pytest.fixture
def user(db: None) -> User:
    """10.00 USD in a wallet that was opened with 5.00, and a debit of 4.00 outside it."""
    user = UserFactory.create()
    record(user, wallet_id=wallet(user, USD="5.00").pk, transaction_amount=Decimal("10.00"))
    record(user, transaction_amount=Decimal("4.00"), transaction_type="debit")
    fold_everybody()
    return user


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The users who were checked, in order. Each time that the clock is asked, it has moved."""
    seconds, ids = count(), list[int]()
    monkeypatch.setattr(operations, "time", SimpleNamespace(monotonic=lambda: next(seconds)))
    check = operations.check

    def noted(user_id: int) -> None:
        ids.append(user_id)
        check(user_id)

    monkeypatch.setattr(operations, "check", noted)
    return ids
