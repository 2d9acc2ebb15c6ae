"""Database constraints on transactions."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import FieldError
from django.db import DataError, IntegrityError, connection, transaction
from django.db.models import F, ProtectedError, Value

from accounts.models import User
from fido.lib.values import money
from fido.lib.values.clock import Period
from tests.factories import UserFactory, record
from tests.key_rings import stored
from transactions.models import Transaction
from transactions.queries import history

pytestmark = pytest.mark.django_db

REFUSED = [
    ("amount_is_positive_and_finite", "transaction_amount = 0"),
    ("amount_is_positive_and_finite", "transaction_amount = -10"),
    ("amount_has_the_currencys_decimals", "transaction_amount = 10.001"),
    ("amount_has_the_currencys_decimals", "transaction_amount = 10.5, currency = 'JPY'"),
    ("amount_has_the_currencys_decimals", "transaction_amount = 10.0005, currency = 'KWD'"),
    ("type_is_credit_or_debit", "transaction_type = 'gift'"),
    ("type_is_credit_or_debit", "transaction_type = ''"),
    ("type_is_credit_or_debit", "transaction_type = E'debit\\n'"),
    ("type_is_credit_or_debit", "transaction_type = 'edit'"),
    ("currency_is_a_code", "currency = 'usd'"),
    ("currency_is_a_code", "currency = ''"),
    ("version_is_positive", "version = 0"),
    ("external_id_is_not_empty", "external_id = ''"),
    ("category_is_not_empty", "category = ''"),
    ("index_goes_with_name", "full_name = NULL"),
    ("user_id", "user_id = NULL"),
    ("transaction_date", "transaction_date = NULL"),
    ("transaction_amount", "transaction_amount = NULL"),
    ("transaction_type", "transaction_type = NULL"),
    ("currency", "currency = NULL"),
    ("version", "version = NULL"),
    ("created_at", "created_at = NULL"),
    ("updated_at", "updated_at = NULL"),
]
OUT_OF_RANGE = [
    "transaction_amount = 1000000000000000",
    "transaction_amount = 'Infinity'",
    "currency = 'USDX'",
    "transaction_type = 'credits'",
    "external_id = repeat('x', 256)",
]


@pytest.fixture
def row() -> Transaction:
    return record(UserFactory.create(), external_id="inv/1")


def write(row: Transaction, assignment: str, *values: Decimal) -> None:
    statement = f"UPDATE transactions_transaction SET {assignment} WHERE id = %s"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(statement, [*values, row.pk])


def values(row: Transaction) -> dict[str, Any]:
    return dict(Transaction.objects.filter(pk=row.pk).values().get())


@pytest.mark.parametrize(("rule", "assignment"), REFUSED)
def test_what_breaks_a_rule_is_refused(row: Transaction, rule: str, assignment: str) -> None:
    before = values(row)

    with pytest.raises(IntegrityError, match=f'"{rule}"'):
        write(row, assignment)

    assert values(row) == before


@pytest.mark.parametrize("assignment", OUT_OF_RANGE)
def test_what_does_not_fit_is_refused(row: Transaction, assignment: str) -> None:
    with pytest.raises(DataError):
        write(row, assignment)


def test_an_amount_that_is_not_a_number_is_refused(row: Transaction) -> None:
    # PostgreSQL treats NaN as greater than every number and equal to itself.
    with pytest.raises(IntegrityError):
        write(row, "transaction_amount = 'NaN'")

    assert values(row)["transaction_amount"] == Decimal(10)


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "10000-01-01", "0001-01-01 BC"])
def test_a_date_that_cannot_be_read_back_is_refused(row: Transaction, moment: str) -> None:
    with pytest.raises(IntegrityError):
        write(row, f"transaction_date = '{moment}'")


def test_a_user_who_does_not_exist_is_refused(row: Transaction) -> None:
    with pytest.raises(IntegrityError):
        write(row, "user_id = 999999999")


def test_an_external_id_is_unique_for_its_user(row: Transaction) -> None:
    other = record(row.user)

    with pytest.raises(IntegrityError, match="external_id_unique_per_user"):
        write(other, "external_id = 'inv/1'")

    assert record(UserFactory.create(), external_id="inv/1").external_id == "inv/1"


def test_many_may_have_no_external_id(row: Transaction) -> None:
    for _ in range(2):
        record(row.user)

    assert Transaction.objects.filter(user=row.user, external_id=None).count() == 2


@pytest.mark.parametrize("code", sorted(money.CURRENCIES))
def test_the_database_knows_each_currencys_decimals(code: str) -> None:
    user = UserFactory.create()
    smallest = Decimal(1).scaleb(-money.CURRENCIES[code])
    row = record(user, currency=code, transaction_amount=smallest)

    assert values(row)["transaction_amount"] == smallest
    if money.CURRENCIES[code] < money.MAX_DECIMALS:
        with pytest.raises(IntegrityError, match="amount_has_the_currencys_decimals"):
            write(row, "transaction_amount = %s", smallest + smallest / 10)


def test_the_largest_amount_fits(row: Transaction) -> None:
    largest = Decimal("999999999999999.99")

    write(row, "transaction_amount = %s", largest)

    assert values(row)["transaction_amount"] == largest


def test_a_user_with_transactions_cannot_be_deleted(row: Transaction) -> None:
    with pytest.raises(ProtectedError):
        row.user.delete()

    assert User.objects.filter(pk=row.user_id).exists()


@pytest.mark.parametrize("column", ["full_name", "description"])
def test_a_write_that_would_lose_a_text_is_refused(row: Transaction, column: str) -> None:
    before = stored(row, column)

    for expression in (F("external_id"), Value("x")):
        with pytest.raises(TypeError), transaction.atomic():
            Transaction.objects.filter(user_id=row.user_id).update(**{column: expression})
    with pytest.raises(TypeError), transaction.atomic():
        Transaction.objects.bulk_update([row], [column])

    assert stored(row, column) == before


def test_an_encrypted_text_cannot_be_searched() -> None:
    for lookup in ("full_name", "full_name__icontains", "description__contains"):
        with pytest.raises(FieldError):
            Transaction.objects.filter(**{lookup: "Jane"}).exists()


def test_a_name_is_found_whatever_its_case_accents_and_spacing() -> None:
    row = record(UserFactory.create(), full_name=" Zoë  Müller-Strauß ")

    found = history(
        viewer=row.user, filters={"period": Period(), "full_name": "ZOE MULLER-STRAUSS"}
    )

    assert list(found) == [row]


def test_equal_names_of_two_people_have_equal_digests_and_unequal_tokens() -> None:
    one, two = (record(UserFactory.create(), full_name="Jane Doe") for _ in range(2))

    assert stored(one, "full_name_index") == stored(two, "full_name_index")
    assert stored(one, "full_name") != stored(two, "full_name")


def test_a_users_name_and_a_transactions_have_unequal_digests() -> None:
    user = UserFactory.create(full_name="Jane Doe")
    row = record(user, full_name="Jane Doe")

    assert stored(user, "full_name_index") != stored(row, "full_name_index")


def test_a_time_is_kept_to_the_microsecond() -> None:
    moment = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)

    row = record(UserFactory.create(), transaction_date=moment)

    assert values(row)["transaction_date"] == moment
