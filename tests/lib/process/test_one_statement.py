"""Rows of several tables in one statement: all of them or none."""

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from accounts.wallets.models import Wallet
from fido.lib.process import one_statement
from fido.lib.process.one_statement import Condition
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db

RENAME = "UPDATE accounts_user SET username = %s WHERE username = %s RETURNING id AS value"


def wallets(owner: User, *names: str) -> list[Wallet]:
    return [Wallet(user=owner, name=name) for name in names]


def stored() -> list[str]:
    return sorted(Wallet.objects.values_list("name", flat=True))


def test_all_rows_are_inserted_as_django_would_insert_them() -> None:
    first, second = wallets(UserFactory.create(), "first", "second")

    outcome = one_statement.insert(first, second)

    assert (outcome.inserted, outcome.value) == (True, None)
    assert not first._state.adding
    for row in (first, second):
        assert values_of(Wallet.objects.get(pk=row.pk)) == values_of(row)


def values_of(row: models.Model) -> list[object]:
    return [getattr(row, field.attname) for field in row._meta.concrete_fields]


def test_a_row_that_conflicts_takes_the_others_with_it() -> None:
    owner = UserFactory.create()
    Wallet.objects.create(user=owner, name="taken")

    outcome = one_statement.insert(*wallets(owner, "taken", "other"))

    assert not outcome.inserted
    assert stored() == ["taken"]


def test_another_row_that_conflicts_is_an_error_and_nothing_is_inserted() -> None:
    owner = UserFactory.create()
    Wallet.objects.create(user=owner, name="taken")

    with pytest.raises(IntegrityError), transaction.atomic():
        one_statement.insert(*wallets(owner, "other", "taken"))

    assert stored() == ["taken"]


def test_a_condition_that_is_met_writes_and_says_what() -> None:
    owner = UserFactory.create(username="ada")

    outcome = one_statement.insert(
        *wallets(owner, "first", "second"), condition=Condition(RENAME, ["grace", "ada"])
    )

    assert (outcome.inserted, outcome.value) == (True, owner.pk)
    assert User.objects.get().username == "grace"
    assert stored() == ["first", "second"]


def test_where_it_is_not_met_nothing_is_inserted() -> None:
    owner = UserFactory.create()

    outcome = one_statement.insert(
        *wallets(owner, "first", "second"), condition=Condition(RENAME, ["grace", "nobody"])
    )

    assert (outcome.inserted, outcome.value) == (False, None)
    assert stored() == []


def test_a_conflict_undoes_what_the_condition_has_written() -> None:
    owner = UserFactory.create(username="ada")
    Wallet.objects.create(user=owner, name="taken")

    with pytest.raises(IntegrityError), transaction.atomic():
        one_statement.insert(
            *wallets(owner, "taken"), condition=Condition(RENAME, ["grace", "ada"])
        )

    assert User.objects.get().username == "ada"


def test_many_rows_take_one_statement_for_each_table() -> None:
    owner = UserFactory.create()

    with CaptureQueriesContext(connection) as sent:
        one_statement.insert_all(wallets(owner, "first", "second", "third"))

    assert len(sent) == 1
    assert stored() == ["first", "second", "third"]
