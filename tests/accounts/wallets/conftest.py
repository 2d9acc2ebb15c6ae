from tests.accounts.rates.conftest import _little_patience, open_bank

__all__ = ["_little_patience", "open_bank"]
