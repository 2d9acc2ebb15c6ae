"""The form of a refusal, and a check that it wrote nothing."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from accounts.models import LoginSession, User
from analytics.models import DailyTotals
from fido.models import IdempotencyKey
from tests.client import ApiClient
from tests.factories import record
from transactions.imports.models import Import
from transactions.models import Transaction

ROW = {
    "transaction_amount": "1.00",
    "transaction_type": "credit",
    "transaction_date": "2026-01-31",
}


MODELS = (User, LoginSession, Transaction, DailyTotals, IdempotencyKey, Import)
# In one statement, because it runs twice for each of some thousand tests.
ROWS = " UNION ALL ".join(
    f"SELECT '{model.__name__}', CAST(kept AS text) FROM {model._meta.db_table} kept"
    for model in MODELS
)


def rows() -> list[tuple[str, str]]:
    """All that the database holds of these models, to the letter."""
    with connection.cursor() as cursor:
        cursor.execute(ROWS)
        return sorted(cursor.fetchall())


@pytest.fixture
def mine(ada: ApiClient) -> Transaction:
    return record(ada.user)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def nothing_is_written(ada: ApiClient, staff: ApiClient, mine: Transaction) -> Iterator[None]:
    before = rows()
    yield
    assert rows() == before


def refused(answer: Any, status: int, code: str) -> Any:
    """The problem, after checking its form."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (
        status,
        "application/problem+json",
    ), answer.content
    body = answer.json()
    assert (body["status"], body["code"]) == (status, code)
    assert body["type"] == f"urn:fido:problem:{code}"
    assert body["instance"] == answer.wsgi_request.path
    assert answer.headers["X-Request-ID"]
    return body


def invalid(answer: Any) -> list[tuple[str, str]]:
    """Pointers and codes of a validation error."""
    errors = refused(answer, 400, "validation-error")["errors"]
    return [(e.get("pointer") or e["parameter"], e["code"]) for e in errors]
