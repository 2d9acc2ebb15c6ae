"""PUT and PATCH /transactions/{id}: what is replaced, what stays, and what is refused."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from analytics.models import DailyTotals
from tests.client import ApiClient, errors_of
from tests.factories import record
from tests.key_rings import store, stored
from transactions.models import Transaction

REPLACEMENT = {"transaction_amount": "7.50", "transaction_type": "debit"}
DAMAGED = b"gAAAAA-not-a-token"

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(ada: ApiClient) -> Transaction:
    assert ada.user
    return record(
        ada.user,
        transaction_amount=Decimal("10.50"),
        currency="EUR",
        full_name="Countess of Lovelace",
        description="Punched cards",
        external_id="inv/1",
    )


def path(row: Transaction) -> str:
    return f"/transactions/{row.pk}"


def values(row: Transaction) -> dict[str, Any]:
    return dict(Transaction.objects.filter(pk=row.pk).values().get())


def test_put_keeps_user_and_date_and_resets_the_rest(ada: ApiClient, row: Transaction) -> None:
    response = ada.put(path(row), REPLACEMENT)

    assert response.status_code == 200
    answer = dict(response.json())
    assert answer.pop("updated_at") > answer.pop("created_at")
    assert answer == {
        "id": str(row.pk),
        "user_id": ada.user_id,
        "transaction_date": "2026-01-31T12:00:00Z",
        "transaction_amount": "7.50",
        "transaction_type": "debit",
        "full_name": "Ada Lovelace",
        "currency": "USD",
        "description": None,
        "external_id": None,
        "wallet": None,
        "category": None,
    }
    assert ada.get(path(row)).json() == response.json()


def test_put_takes_what_is_named(ada: ApiClient, row: Transaction) -> None:
    named = REPLACEMENT | {
        "user_id": ada.user_id,
        "transaction_date": "2026-02-01",
        "currency": "JPY",
        "transaction_amount": "7",
        "full_name": None,
        "description": "Rent",
        "external_id": "inv/2",
    }

    answer = ada.put(path(row), named).json()

    expected = named | {"transaction_date": "2026-02-01T00:00:00Z"}
    assert {name: answer[name] for name in expected} == expected


@pytest.mark.parametrize("field", list(REPLACEMENT))
def test_put_needs_what_has_no_default(ada: ApiClient, row: Transaction, field: str) -> None:
    before = values(row)

    response = ada.put(path(row), {k: v for k, v in REPLACEMENT.items() if k != field})

    assert errors_of(response) == [(f"#/{field}", "required")]
    assert values(row) == before


@pytest.mark.parametrize(
    ("field", "value", "kept"),
    [
        ("transaction_amount", "12.34", Decimal("12.34")),
        ("transaction_type", "debit", "debit"),
        ("transaction_date", "2026-03-01T01:00:00+02:00", datetime(2026, 2, 28, 23, tzinfo=UTC)),
        ("currency", "USD", "USD"),
        ("full_name", "Ada King", "Ada King"),
        ("full_name", None, None),
        ("description", "Rent", "Rent"),
        ("description", None, None),
        ("external_id", "inv/2", "inv/2"),
        ("external_id", None, None),
    ],
)
def test_patch_changes_only_what_is_named(
    ada: ApiClient, row: Transaction, field: str, value: str | None, kept: object
) -> None:
    before = values(row)

    response = ada.patch(path(row), {field: value})

    after = values(row)
    assert response.status_code == 200
    changed = {name for name in after if after[name] != before[name]}
    index = {"full_name_index"} if field == "full_name" else set()
    assert changed == {field, "version", "updated_at"} | index
    assert (after[field], after["version"]) == (kept, before["version"] + 1)


def test_an_empty_patch_changes_nothing(ada: ApiClient, row: Transaction) -> None:
    before = values(row)

    assert ada.patch(path(row), {}).json() == ada.get(path(row)).json()
    assert values(row) == before


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"transaction_amount": "0"}, ("#/transaction_amount", "not-positive")),
        ({"transaction_amount": "1.005"}, ("#/transaction_amount", "too-many-decimals")),
        ({"transaction_amount": None}, ("#/transaction_amount", "null")),
        ({"transaction_type": "gift"}, ("#/transaction_type", "invalid-choice")),
        ({"transaction_date": "31.1.2026"}, ("#/transaction_date", "invalid")),
        ({"transaction_date": None}, ("#/transaction_date", "null")),
        ({"currency": "us"}, ("#/currency", "invalid-choice")),
        ({"external_id": ""}, ("#/external_id", "blank")),
        ({"full_name": ""}, ("#/full_name", "blank")),
        ({"ammount": "1"}, ("#/ammount", "unknown")),
        ({"id": "1"}, ("#/id", "unknown")),
    ],
    ids=str,
)
def test_a_refused_edit_changes_nothing(
    ada: ApiClient, row: Transaction, method: str, change: dict[str, Any], error: tuple[str, str]
) -> None:
    before = values(row)
    body = REPLACEMENT | change if method == "put" else change

    response = ada.request(method, path(row), body)

    assert errors_of(response) == [error]
    assert values(row) == before
    assert DailyTotals.objects.count() == 1


@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_transaction_stays_with_its_user(
    staff: ApiClient, ada: ApiClient, ben: ApiClient, row: Transaction, method: str
) -> None:
    for client in (ada, staff):
        response = client.request(method, path(row), REPLACEMENT | {"user_id": ben.user_id})

        assert errors_of(response) == [("#/user_id", "immutable")]
    assert (values(row)["user_id"], values(row)["version"]) == (ada.user_id, 1)


def test_a_currency_in_which_the_amount_does_not_fit_is_refused(
    ada: ApiClient, row: Transaction
) -> None:
    before = values(row)

    response = ada.patch(path(row), {"currency": "JPY"})

    assert errors_of(response) == [("#/transaction_amount", "too-many-decimals")]
    assert values(row) == before


def test_a_currency_in_which_the_amount_fits_is_taken(ada: ApiClient) -> None:
    assert ada.user
    row = record(ada.user, transaction_amount=Decimal("1200.00"), currency="USD")

    answer = ada.patch(path(row), {"currency": "JPY"}).json()

    assert (answer["transaction_amount"], answer["currency"]) == ("1200", "JPY")
    assert values(row)["transaction_amount"] == Decimal(1200)


@pytest.mark.parametrize("method", ["put", "patch"])
def test_an_external_id_of_another_record_is_refused(
    ada: ApiClient, row: Transaction, method: str
) -> None:
    assert ada.user
    other = record(ada.user)
    before = values(other)

    response = ada.request(method, path(other), REPLACEMENT | {"external_id": "inv/1"})

    assert response.status_code == 409
    assert response.json()["existing_id"] == str(row.pk)
    assert values(other) == before


def test_the_own_external_id_may_be_sent_again(ada: ApiClient, row: Transaction) -> None:
    response = ada.put(path(row), REPLACEMENT | {"external_id": "inv/1"})

    assert (response.status_code, response.json()["external_id"]) == (200, "inv/1")


@pytest.mark.parametrize("damaged", ["full_name", "description"])
def test_a_damaged_token_that_is_not_named_stays_as_it_is(
    ada: ApiClient, row: Transaction, damaged: str
) -> None:
    index = stored(row, "full_name_index")
    store(row, damaged, DAMAGED)

    response = ada.patch(path(row), {"transaction_amount": "1.00"})

    assert (response.status_code, response.json()[damaged]) == (200, None)
    assert stored(row, damaged) == DAMAGED
    assert stored(row, "full_name_index") == index
    assert User.objects.get(pk=ada.user_id).full_name == "Ada Lovelace"


def test_a_damaged_name_can_be_written_anew(ada: ApiClient, row: Transaction) -> None:
    store(row, "full_name", DAMAGED)

    ada.patch(path(row), {"full_name": "Ada King"})

    assert Transaction.objects.get(pk=row.pk).full_name == "Ada King"
    assert ada.get("/transactions", full_name="ada king").json()["results"]


def test_an_edited_name_is_found_and_the_old_one_is_not(ada: ApiClient, row: Transaction) -> None:
    ada.patch(path(row), {"full_name": "Ada King"})

    def found(name: str) -> int:
        return len(ada.get("/transactions", full_name=name).json()["results"])

    assert (found("ADA KING"), found("Countess of Lovelace")) == (1, 0)


def test_put_keeps_the_name_while_the_profiles_cannot_be_read(
    ada: ApiClient, row: Transaction
) -> None:
    assert ada.user
    before = stored(row, "full_name"), stored(row, "full_name_index")
    store(ada.user, "full_name", DAMAGED)

    response = ada.put(path(row), REPLACEMENT)

    assert response.status_code == 200
    assert response.json()["full_name"] == "Countess of Lovelace"
    assert response.json()["transaction_amount"] == "7.50"
    assert (stored(row, "full_name"), stored(row, "full_name_index")) == before
