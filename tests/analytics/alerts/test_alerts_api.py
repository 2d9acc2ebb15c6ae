"""GET /alerts: whose alerts, which ones, and in which order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from accounts.models import User
from analytics.alerts.models import Alert, Rule
from fido.lib.values.ids import new_id
from tests.client import ApiClient
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def raised(user: User | None, code: int = 1100, **later: float) -> Alert:
    assert user
    return Alert.objects.create(
        user=user,
        rule=Rule.objects.get(code=code),
        code=code,
        transaction_id=new_id(),
        time=NOON + timedelta(**later),
    )


def ids(client: ApiClient, **parameters: Any) -> list[UUID]:
    answer = client.get("/alerts", **parameters)
    assert answer.status_code == 200, answer.content
    return [UUID(row["id"]) for row in answer.json()["results"]]


def test_an_alert_says_what_raised_it(ada: ApiClient) -> None:
    alert = raised(ada.user)

    (row,) = ada.get("/alerts").json()["results"]

    assert row == {
        "id": str(alert.pk),
        "user_id": ada.user_id,
        "code": 1100,
        "transaction_id": str(alert.transaction_id),
        "time": "2026-01-31T12:00:00Z",
        "created_at": row["created_at"],
    }


def test_customers_see_their_own_and_staff_with_the_permission_all(
    ada: ApiClient, ben: ApiClient, staff: ApiClient
) -> None:
    clerk = ApiClient(UserFactory.create(is_staff=True))
    mine, bens = raised(ada.user), raised(ben.user, hours=1)

    assert ids(ada) == [mine.pk]
    assert ids(ada, user_id=ben.user_id) == []
    assert ids(staff) == [bens.pk, mine.pk]
    assert ids(staff, user_id=ada.user_id) == [mine.pk]
    assert ids(clerk) == []
    clerk.grant("alerts.view_alert")
    assert ids(ApiClient(User.objects.get(pk=clerk.user_id))) == [bens.pk, mine.pk]
    assert ApiClient().get("/alerts").status_code == 401


def test_filters_are_by_code_and_by_the_half_open_period_of_the_transactions(
    ada: ApiClient,
) -> None:
    first, second, third = (
        raised(ada.user),
        raised(ada.user, 30, hours=1),
        raised(ada.user, hours=12),
    )

    assert ids(ada) == [third.pk, second.pk, first.pk]
    assert ids(ada, code=1100) == [third.pk, first.pk]
    assert ids(ada, code=30, start="2026-01-31") == [second.pk]
    assert ids(ada, start="2026-01-31T13:00:00Z") == [third.pk, second.pk]
    assert ids(ada, end="2026-01-31T13:00:00Z") == [first.pk]
    assert ids(ada, end="2026-01-31") == [second.pk, first.pk]


def test_pages_go_on_where_the_last_one_ended(ada: ApiClient) -> None:
    rows = [raised(ada.user, seconds=n // 2) for n in range(5)]
    expected = [row.pk for row in sorted(rows, key=lambda row: (row.time, row.pk), reverse=True)]

    page = ada.get("/alerts", limit=2).json()
    found = [row["id"] for row in page["results"]]
    while page["next"]:
        page = ada.get(page["next"]).json()
        found += [row["id"] for row in page["results"]]

    assert found == [str(id_) for id_ in expected]


@pytest.mark.parametrize(
    "query", ["colour=red", "code=x", "code=0", "code=10000", "start=x", "cursor=x", "limit=201"]
)
def test_a_bad_filter_is_refused(ada: ApiClient, query: str) -> None:
    answer = ada.get(f"/alerts?{query}")

    assert answer.status_code == 400
    assert [each["parameter"] for each in answer.json()["errors"]] == [query.partition("=")[0]]


def test_who_has_the_list_need_not_read_it_again(ada: ApiClient) -> None:
    first = ada.get("/alerts")

    again = ada.request("get", "/alerts", HTTP_IF_NONE_MATCH=first.headers["ETag"])
    raised(ada.user)
    fresh = ada.request("get", "/alerts", HTTP_IF_NONE_MATCH=first.headers["ETag"])

    assert (again.status_code, fresh.status_code) == (304, 200)
