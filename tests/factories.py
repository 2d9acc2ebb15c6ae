"""Users and transactions, created the way the service creates them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from factory.base import Factory
from factory.declarations import LazyAttribute, Sequence
from factory.django import DjangoModelFactory

from accounts.models import User
from accounts.wallets import operations as wallets
from accounts.wallets.models import Wallet
from transactions import operations
from transactions.models import Transaction
from transactions.operations import Draft

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = Sequence(lambda n: f"user{n}")
    email = LazyAttribute(lambda user: f"{user.username}@example.org")
    full_name = Sequence(lambda n: f"Person Number{n}")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        kwargs.setdefault("password", PASSWORD)
        return model_class.objects.create_user(*args, **kwargs)


class StaffFactory(UserFactory):
    username = Sequence(lambda n: f"staff{n}")
    is_staff = True
    is_superuser = True


class DraftFactory(Factory[Draft]):
    class Meta:
        model = Draft

    transaction_date = datetime(2026, 1, 31, 12, tzinfo=UTC)
    transaction_amount = Decimal("10.00")
    transaction_type = "credit"
    currency = "USD"
    full_name = "Jane Doe"


def record(owner: User, **fields: Any) -> Transaction:
    """A transaction, recorded by the operation that the API calls."""
    return operations.record(owner=owner, draft=DraftFactory.build(**fields))


def wallet(owner: User, name: str = "main", **held: str) -> Wallet:
    """An open wallet with these amounts, by currency."""
    made = wallets.create_wallet(user_id=owner.pk, name=name)
    for currency, amount in held.items():
        wallets.open_balance(wallet=made, currency=currency, opening=Decimal(amount))
    return made
