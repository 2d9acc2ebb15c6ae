import pytest

from accounts.rates import bank as client
from tests.bank import StubBank, table

USD, EUR, JPY = "3.95", "4.25", "0.0250"


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "BACKOFF_SECONDS", 0.01)


@pytest.fixture
def open_bank(bank: StubBank) -> StubBank:
    """Publishes tables A and C."""
    bank.gives(
        A=table("A", USD=USD, EUR=EUR, JPY=JPY),
        C=table("C", USD=("3.90", "4.00"), EUR=("4.20", "4.30")),
    )
    return bank
