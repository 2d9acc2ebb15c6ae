"""GET /transactions: each filter alone and combined, both orders, and keyset pages."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.models import User
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.key_rings import store
from transactions.models import Transaction

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


def user_of(client: ApiClient) -> User:
    assert client.user
    return client.user


@pytest.fixture
def history(ada: ApiClient, ben: ApiClient) -> list[Transaction]:
    """Five of Ada's, a day apart; one of Ben's that would match each filter too."""
    rows: list[dict[str, Any]] = [
        {"transaction_amount": Decimal("5.00"), "external_id": "a"},
        {"transaction_amount": Decimal("10.00"), "transaction_type": "debit"},
        {"transaction_amount": Decimal(500), "currency": "JPY", "full_name": "José Núñez"},
        {"transaction_amount": Decimal("20.00"), "full_name": "JOSE  NUNEZ"},
        {"transaction_amount": Decimal("10.01"), "full_name": None, "transaction_type": "debit"},
    ]
    for fields in rows:
        record(user_of(ben), **{"transaction_date": NOON, **fields})
    return [
        record(user_of(ada), **{"transaction_date": NOON + timedelta(days=day), **fields})
        for day, fields in enumerate(rows)
    ]


def found(client: ApiClient, rows: list[Transaction], **filters: Any) -> list[int]:
    """Which rows are returned, as positions, in the answer's order."""
    response = client.get("/transactions", **filters)
    assert response.status_code == 200, response.content
    ids = [str(row.pk) for row in rows]
    return [ids.index(row["id"]) for row in response.json()["results"]]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, [4, 3, 2, 1, 0]),
        ({"order": "-transaction_date"}, [4, 3, 2, 1, 0]),
        ({"order": "transaction_date"}, [0, 1, 2, 3, 4]),
        ({"start": "2026-01-03"}, [4, 3, 2]),
        ({"start": "2026-01-03T12:00:00Z"}, [4, 3, 2]),
        ({"start": "2026-01-03T12:00:00.000001Z"}, [4, 3]),
        ({"end": "2026-01-03"}, [2, 1, 0]),  # a date includes its whole day
        ({"end": "2026-01-03T12:00:00Z"}, [1, 0]),  # a time is exclusive
        ({"end": "2026-01-03T14:00:00+02:00"}, [1, 0]),
        ({"start": "2026-01-02", "end": "2026-01-02"}, [1]),
        ({"transaction_type": "debit"}, [4, 1]),
        ({"currency": "JPY"}, [2]),
        ({"currency": "EUR"}, []),
        ({"min_amount": "10.01"}, [4, 3, 2]),
        ({"max_amount": "10.00"}, [1, 0]),
        ({"min_amount": "10", "max_amount": "10.00"}, [1]),
        ({"external_id": "a"}, [0]),
        ({"external_id": "A"}, []),
        ({"full_name": "josé núñez"}, [3, 2]),
        ({"full_name": "Jose Nunez"}, [3, 2]),
        ({"full_name": "José"}, []),
        ({"full_name": "JANE DOE", "order": "transaction_date"}, [0, 1]),
        ({"currency": "USD", "transaction_type": "debit", "min_amount": "10.01"}, [4]),
        ({"full_name": "jose nunez", "currency": "USD", "start": "2026-01-01"}, [3]),
    ],
    ids=str,
)
def test_a_filter_finds_what_it_names_and_nobody_elses(
    ada: ApiClient, history: list[Transaction], filters: dict[str, str], expected: list[int]
) -> None:
    assert found(ada, history, **filters) == expected


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("color", "red"),
        ("wallet_id", "1"),
        ("order", "id"),
        ("order", ""),
        ("limit", "0"),
        ("limit", "201"),
        ("start", "yesterday"),
        ("end", "2026-02-30"),
        ("currency", "us"),
        ("transaction_type", "Credit"),
        ("min_amount", "-1"),
        ("max_amount", "1e2"),
        ("full_name", ""),
        ("user_id", "me"),
        ("cursor", "nonsense"),
    ],
)
def test_an_unknown_filter_or_a_bad_value_is_refused(
    ada: ApiClient, parameter: str, value: str
) -> None:
    response = ada.get("/transactions", **{parameter: value})

    assert response.status_code == 400
    assert [error["parameter"] for error in response.json()["errors"]] == [parameter]


def test_an_end_before_the_start_is_refused(ada: ApiClient) -> None:
    assert ada.get("/transactions", start="2026-01-02", end="2026-01-01").status_code == 400


@pytest.mark.parametrize("order", ["transaction_date", "-transaction_date"])
def test_pages_add_up_to_the_whole_also_where_many_share_a_moment(
    ada: ApiClient, order: str
) -> None:
    rows = [record(user_of(ada), transaction_date=NOON) for _ in range(7)]
    wanted = [str(row.pk) for row in rows]
    wanted = wanted if order == "transaction_date" else wanted[::-1]

    pages = [ada.get("/transactions", order=order, limit=3).json()]
    while pages[-1]["next"]:
        pages.append(ada.get(pages[-1]["next"]).json())
    back = [pages[-1]]
    while back[-1]["previous"]:
        back.append(ada.get(back[-1]["previous"]).json())

    assert [len(page["results"]) for page in pages] == [3, 3, 1]
    assert [row["id"] for page in pages for row in page["results"]] == wanted
    assert [row["id"] for page in reversed(back) for row in page["results"]] == wanted


def test_the_next_page_keeps_the_filters(ada: ApiClient, history: list[Transaction]) -> None:
    first = ada.get("/transactions", transaction_type="debit", limit=1).json()

    second = ada.get(first["next"]).json()

    assert [row["id"] for row in second["results"]] == [str(history[1].pk)]
    assert second["next"] is None


def test_a_row_that_comes_in_between_moves_no_page(ada: ApiClient) -> None:
    rows = [record(user_of(ada), transaction_date=NOON - timedelta(days=n)) for n in range(4)]
    first = ada.get("/transactions", limit=2).json()
    record(user_of(ada), transaction_date=NOON + timedelta(days=1))
    Transaction.objects.filter(pk=rows[0].pk).delete()

    second = ada.get(first["next"]).json()

    assert [row["id"] for row in second["results"]] == [str(row.pk) for row in rows[2:]]


def test_no_transactions_are_an_empty_page(ada: ApiClient) -> None:
    assert ada.get("/transactions").json() == {"results": [], "next": None, "previous": None}


def test_fifty_are_answered_unless_asked_otherwise(ada: ApiClient) -> None:
    for _ in range(51):
        record(user_of(ada))

    assert len(ada.get("/transactions").json()["results"]) == 50
    assert len(ada.get("/transactions", limit=200).json()["results"]) == 51


def test_the_list_answers_what_the_record_does(ada: ApiClient, history: list[Transaction]) -> None:
    listed = ada.get("/transactions").json()["results"]

    assert listed == [ada.get(f"/transactions/{row['id']}").json() for row in listed]


@pytest.mark.parametrize("column", ["full_name", "description"])
def test_a_damaged_token_is_null_and_leaves_the_page_whole(
    ada: ApiClient, caplog: pytest.LogCaptureFixture, column: str
) -> None:
    sound, damaged = (record(user_of(ada), description="Rent") for _ in range(2))
    store(damaged, column, b"gAAAAA-not-a-token")

    response = ada.get("/transactions", order="transaction_date")

    rows = response.json()["results"]
    assert [row[column] for row in rows] == [getattr(sound, column), None]
    assert [row["transaction_amount"] for row in rows] == ["10.00", "10.00"]
    errors = [line.message for line in caplog.records if line.levelname == "ERROR"]
    assert errors == [f"A token in transactions.Transaction.{column} fits no key."]


def test_staff_filter_by_user(staff: ApiClient, ada: ApiClient, history: list[Transaction]) -> None:
    assert found(staff, history, user_id=ada.user_id) == [4, 3, 2, 1, 0]
    assert found(staff, history, user_id=ada.user_id, full_name="jose nunez") == [3, 2]
    assert len(staff.get("/transactions").json()["results"]) == 10


def test_naming_another_user_finds_nothing(
    ada: ApiClient, ben: ApiClient, history: list[Transaction]
) -> None:
    assert found(ada, history, user_id=ben.user_id) == []
    assert found(ada, history, user_id=999_999_999) == []
    assert found(ada, history, user_id=ada.user_id) == [4, 3, 2, 1, 0]


def test_names_of_others_are_masked_in_staffs_list(staff: ApiClient, ada: ApiClient) -> None:
    record(user_of(ada), full_name="Ada Lovelace", description="Punched cards")
    record(user_of(staff), full_name="Grace Hopper", description="Moth")

    own, others = staff.get("/transactions").json()["results"]

    assert (own["full_name"], own["description"]) == ("Grace Hopper", "Moth")
    assert (others["full_name"], others["description"]) == ("A••• L•••", "•••")


def test_a_page_costs_the_same_statements_however_long(
    ada: ApiClient, django_assert_num_queries: Any
) -> None:
    for _ in range(20):
        record(user_of(ada))

    with django_assert_num_queries(2):  # the user, and the rows
        page = ada.get("/transactions", limit=20)

    assert len(page.json()["results"]) == 20


def test_another_users_history_stays_out_of_the_own(ada: ApiClient) -> None:
    for user in UserFactory.create_batch(3):
        record(user)

    assert ada.get("/transactions").json()["results"] == []
