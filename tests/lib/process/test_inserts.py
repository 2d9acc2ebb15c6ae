"""Rows of several tables in one statement, or many of one: all of them or none."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.wallets.models import Wallet
from fido.lib.process import inserts
from fido.lib.process.inserts import Condition
from tests.factories import UserFactory
from transactions.models import Transaction

pytestmark = pytest.mark.django_db

RENAME = "UPDATE accounts_user SET username = %s WHERE username = %s RETURNING id AS value"


def wallets(owner: User, *names: str) -> list[Wallet]:
    return [Wallet(user=owner, name=name) for name in names]


def stored() -> list[str]:
    return sorted(Wallet.objects.values_list("name", flat=True))


def test_all_rows_are_inserted_as_django_would_insert_them() -> None:
    first, second = wallets(UserFactory.create(), "first", "second")

    inserts.insert(first, second)

    assert not first._state.adding
    for row in (first, second):
        assert values_of(Wallet.objects.get(pk=row.pk)) == values_of(row)


def values_of(row: models.Model) -> list[object]:
    return [getattr(row, field.attname) for field in row._meta.concrete_fields]


def test_a_row_that_conflicts_takes_the_others_with_it() -> None:
    owner = UserFactory.create()
    Wallet.objects.create(user=owner, name="taken")

    inserted = inserts.insert_unless_taken(*wallets(owner, "taken", "other"))

    assert not inserted
    assert stored() == ["taken"]


def test_one_that_does_not_conflict_brings_the_others() -> None:
    owner = UserFactory.create()

    inserted = inserts.insert_unless_taken(*wallets(owner, "first", "second"))

    assert inserted
    assert stored() == ["first", "second"]


@pytest.mark.parametrize("insert", [inserts.insert, inserts.insert_unless_taken])
@pytest.mark.parametrize("names", [("other", "taken"), ("other", "another", "taken")])
def test_another_row_that_conflicts_is_an_error_and_nothing_is_inserted(
    insert: Callable[..., object], names: tuple[str, ...]
) -> None:
    owner = UserFactory.create()
    Wallet.objects.create(user=owner, name="taken")

    with pytest.raises(IntegrityError), transaction.atomic():
        insert(*wallets(owner, *names))

    assert stored() == ["taken"]


def test_a_condition_that_is_met_writes_and_says_what() -> None:
    owner = UserFactory.create(username="ada")

    outcome = inserts.insert_if(
        Condition(RENAME, ["grace", "ada"]), *wallets(owner, "first", "second")
    )

    assert (outcome.inserted, outcome.value) == (True, owner.pk)
    assert User.objects.get().username == "grace"
    assert stored() == ["first", "second"]


def test_where_it_is_not_met_nothing_is_inserted() -> None:
    owner = UserFactory.create()

    outcome = inserts.insert_if(
        Condition(RENAME, ["grace", "nobody"]), *wallets(owner, "first", "second")
    )

    assert (outcome.inserted, outcome.value) == (False, None)
    assert stored() == []


def test_a_conflict_undoes_what_the_condition_has_written() -> None:
    owner = UserFactory.create(username="ada")
    Wallet.objects.create(user=owner, name="taken")

    with pytest.raises(IntegrityError), transaction.atomic():
        inserts.insert_if(Condition(RENAME, ["grace", "ada"]), *wallets(owner, "taken"))

    assert User.objects.get().username == "ada"


def test_many_rows_take_inserts_for_each_table() -> None:
    owner = UserFactory.create()

    with CaptureQueriesContext(connection) as sent:
        inserts.insert_all(wallets(owner, "first", "second", "third"))

    assert len(sent) == 1
    assert stored() == ["first", "second", "third"]


def test_many_rows_of_one_table_are_copied_as_django_would_insert_them() -> None:
    owner = UserFactory.create()
    rows = [
        Transaction(
            user=owner,
            full_name=text,
            description=text,
            transaction_date=datetime(2026, 1, 31, 12, 0, 0, 123456, UTC),
            transaction_amount=Decimal("12.34"),
            transaction_type=Transaction.Type.DEBIT,
            currency="USD",
            category=text,
        )
        for text in (None, "two\tcells", "two\nlines", "\\N", "\N{SNOWMAN}")
    ]

    inserts.copy(rows)

    assert not rows[0]._state.adding
    for row in rows:
        assert values_of(Transaction.objects.get(pk=row.pk)) == values_of(row)


def test_no_rows_are_copied_by_no_statement() -> None:
    with CaptureQueriesContext(connection) as sent:
        inserts.copy([])

    assert len(sent) == 0


def test_of_rows_that_conflict_none_is_copied() -> None:
    owner = UserFactory.create()

    with pytest.raises(IntegrityError), transaction.atomic():
        inserts.copy(wallets(owner, "first", "same", "same"))

    assert stored() == []
