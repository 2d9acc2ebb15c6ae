"""POST /transactions/bulk: all or each on its own, with a result for each."""

import json
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from analytics.models import DailyTotals
from fido.models import IdempotencyKey
from tests.bulks import ROW, each, nothing_is_recorded, post, statuses
from tests.client import ApiClient, errors_of
from tests.factories import record
from tests.fences import Step, steps
from tests.movements import assert_exact
from tests.races import at_once, overtaken
from transactions.models import Transaction
from transactions.signals import transactions_changed

__all__ = ["steps"]  # a fixture


pytestmark = pytest.mark.django_db(transaction=True)


def test_all_are_recorded_and_answered_as_alone(ada: ApiClient) -> None:
    rows = [
        ROW,
        ROW | {"transaction_amount": 2.25, "full_name": "Ada King", "description": "Tea"},
        ROW | {"currency": "JPY", "transaction_amount": 7, "transaction_type": "debit"},
        ROW | {"external_id": "inv/1", "transaction_date": "2026-02-01T01:00:00+02:00"},
        ROW | {"full_name": None, "user_id": ada.user_id},
    ]

    answer = post(ada, rows)

    assert (answer.status_code, answer.headers["Content-Type"]) == (201, "application/json")
    body = answer.json()
    assert (body["created"], body["refused"], statuses(body)) == (5, 0, [201] * 5)
    for result in body["results"]:
        shown = ada.get(f"/transactions/{result['transaction']['id']}").json()
        assert result["transaction"] == shown
    names = [result["transaction"]["full_name"] for result in body["results"]]
    assert names == ["Ada Lovelace", "Ada King", "Ada Lovelace", "Ada Lovelace", None]
    ids = [result["transaction"]["id"] for result in body["results"]]
    assert ids == sorted(ids)
    assert_exact(User.objects.get(pk=ada.user_id))


def test_five_thousand_rows_are_a_few_statements_and_one_row_of_totals_a_day(
    ada: ApiClient,
) -> None:
    sent: list[int] = []

    def hear(changes: list[Any], **kwargs: Any) -> None:
        sent.append(len(changes))

    rows = [ROW | {"transaction_date": f"2026-01-{n % 28 + 1:02}"} for n in range(5000)]
    transactions_changed.connect(hear)
    try:
        with CaptureQueriesContext(connection) as queries:
            assert post(ada, rows).json()["created"] == 5000
    finally:
        transactions_changed.disconnect(hear)

    assert len(queries) < 30
    assert (sent, DailyTotals.objects.count()) == ([5000], 28)
    assert_exact(User.objects.get(pk=ada.user_id))


def test_one_bad_row_refuses_them_all_and_every_error_says_where(ada: ApiClient) -> None:
    rows = [ROW, ROW | {"transaction_amount": "0"}, ROW, 7, ROW | {"color": "red"}, None]
    rows += [ROW | {"transaction_amount": "0.5", "currency": "JPY"}, ROW | {"user_id": 0}, []]

    answer = post(ada, rows)

    assert errors_of(answer) == [
        ("#/1/transaction_amount", "not-positive"),
        ("#/3", "invalid"),
        ("#/4/color", "unknown"),
        ("#/5", "null"),
        ("#/6/transaction_amount", "too-many-decimals"),
        ("#/7/user_id", "min-value"),
        ("#/8", "invalid"),
    ]
    assert nothing_is_recorded()


def test_for_themselves_the_good_ones_are_recorded(ada: ApiClient) -> None:
    rows = [ROW, ROW | {"transaction_amount": "0"}, 7, ROW | {"currency": "KWD"}]
    rows += [ROW | {"transaction_amount": "0.5", "currency": "JPY"}]

    answer = each(ada, rows)

    assert (answer["created"], answer["refused"]) == (2, 3)
    assert statuses(answer) == [201, 400, 400, 201, 400]
    refused = answer["results"][4]
    (error,) = refused.pop("errors")
    assert refused == {"index": 4, "status": 400, "code": "validation-error"}
    assert (error["pointer"], error["code"]) == ("#/4/transaction_amount", "too-many-decimals")
    assert Transaction.objects.count() == 2
    assert_exact(User.objects.get(pk=ada.user_id))


@pytest.mark.parametrize("query", ["", "?atomic=false"])
@pytest.mark.parametrize("body", [{}, ROW, "x", 1, None, True])
def test_a_body_that_is_not_an_array_is_refused(ada: ApiClient, query: str, body: Any) -> None:
    assert errors_of(post(ada, json.dumps(body), query)) == [("#", "not-a-list")]


@pytest.mark.parametrize("query", ["", "?atomic=false"])
def test_nothing_and_too_much_are_refused(ada: ApiClient, query: str) -> None:
    assert errors_of(post(ada, [], query)) == [("#", "empty")]

    answer = post(ada, [ROW] * 5001, query)
    assert (answer.status_code, answer.json()["code"]) == (400, "too-many-rows")
    assert nothing_is_recorded()


def test_a_bulk_may_be_larger_than_other_bodies_but_not_without_end(ada: ApiClient) -> None:
    row = ROW | {"description": "x" * 1000}
    assert post(ada, [row] * 3000).status_code == 201

    for size in (4, 40):
        answer = post(ada, json.dumps([row]) + " " * size * 1024 * 1024)
        assert (answer.status_code, answer.json()["code"]) == (413, "body-too-large")
    single = ada.post("/transactions", json.dumps(row) + " " * 1024 * 1024)
    assert single.status_code == 413
    assert Transaction.objects.count() == 3000


@pytest.mark.parametrize("value", ["", "1", "True", "no", "true&atomic=true"])
def test_atomic_is_true_or_false(ada: ApiClient, value: str) -> None:
    answer = post(ada, [ROW], f"?atomic={value}")

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["parameter"] == "atomic"
    assert nothing_is_recorded()


def test_errors_are_told_up_to_a_limit(ada: ApiClient) -> None:
    rows = [ROW | {f"x{n}": 1 for n in range(200)}] * 1000

    whole = post(ada, rows)
    answer = each(ada, rows)

    assert len(errors_of(whole)) == 100
    assert (answer["created"], answer["refused"]) == (0, 1000)
    assert {len(result["errors"]) for result in answer["results"]} == {10}
    assert nothing_is_recorded()


def test_there_is_nothing_to_read_and_no_record_of_that_name(ada: ApiClient) -> None:
    assert ada.get("/transactions/bulk").status_code == 405
    assert ada.delete("/transactions/bulk").status_code == 405


# --- external ids --------------------------------------------------------------------------------


def test_a_taken_external_id_refuses_them_all_and_says_which(ada: ApiClient) -> None:
    assert ada.user
    first = record(ada.user, external_id="inv/1")
    rows = [ROW, ROW | {"external_id": "inv/2"}, ROW | {"external_id": "inv/1"}]

    answer = post(ada, rows)

    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (409, "external-id-taken")
    assert (problem["index"], problem["existing_id"]) == (2, str(first.pk))
    assert list(Transaction.objects.all()) == [first]
    assert_exact(ada.user)


def test_an_external_id_that_stands_twice_in_it_refuses_them_all(ada: ApiClient) -> None:
    rows = [ROW | {"external_id": name} for name in ("b", "a", "c", "a")]

    problem = post(ada, rows).json()

    assert problem["code"] == "external-id-taken"
    assert (problem["index"], problem["first_index"], problem["existing_id"]) == (3, 1, None)
    assert nothing_is_recorded()


def test_for_themselves_only_the_taken_ones_are_refused(ada: ApiClient, ben: ApiClient) -> None:
    first = record(ada.user, external_id="inv/1")  # type: ignore[arg-type]
    record(ben.user, external_id="inv/2")  # type: ignore[arg-type]
    rows = [ROW | {"external_id": name} for name in ("inv/2", "inv/1", "z", "inv/2", "INV/1")]

    answer = each(ada, rows)

    assert statuses(answer) == [201, 409, 201, 409, 201]
    recorded = answer["results"][0]["transaction"]["id"]
    assert answer["results"][1] == {
        "index": 1,
        "status": 409,
        "code": "external-id-taken",
        "existing_id": str(first.pk),
    }
    assert answer["results"][3]["existing_id"] == recorded
    assert Transaction.objects.filter(user_id=ada.user_id).count() == 4
    assert_exact(User.objects.get(pk=ada.user_id))


def test_the_same_bulk_again_records_nothing_when_rows_carry_external_ids(ada: ApiClient) -> None:
    rows = [ROW | {"external_id": f"inv/{n}"} for n in range(10)]
    ids = [result["transaction"]["id"] for result in each(ada, rows)["results"]]

    again = each(ada, rows)

    assert (again["created"], again["refused"]) == (0, 10)
    assert [result["existing_id"] for result in again["results"]] == ids
    assert post(ada, rows).status_code == 409
    assert (Transaction.objects.count(), DailyTotals.objects.count()) == (10, 1)


# --- with a key ----------------------------------------------------------------------------------


@pytest.mark.parametrize("query", ["", "?atomic=false"])
def test_a_bulk_with_a_key_is_done_once(ada: ApiClient, query: str) -> None:
    rows = [ROW, ROW | {"external_id": "inv/1"}]
    first, second = (post(ada, rows, query, HTTP_IDEMPOTENCY_KEY="march") for _ in range(2))

    assert (second.status_code, second.content) == (first.status_code, first.content)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert post(ada, rows[:1], query, HTTP_IDEMPOTENCY_KEY="march").status_code == 422
    assert Transaction.objects.count() == 2


def test_a_refused_bulk_does_not_use_its_key_up(ada: ApiClient) -> None:
    bad = [ROW, ROW | {"transaction_amount": "0"}]
    assert post(ada, bad, HTTP_IDEMPOTENCY_KEY="march").status_code == 400
    taken = [ROW | {"external_id": "a"}] * 2
    assert post(ada, taken, HTTP_IDEMPOTENCY_KEY="march").status_code == 409

    assert post(ada, [ROW], HTTP_IDEMPOTENCY_KEY="march").status_code == 201
    assert (Transaction.objects.count(), IdempotencyKey.objects.count()) == (1, 1)


# --- concurrency ---------------------------------------------------------------------------------


def test_a_bulk_has_one_fence_around_its_commit(ada: ApiClient, steps: list[Step]) -> None:
    assert post(ada, [ROW] * 20).status_code == 201

    assert steps == [("enter", ada.user_id, False), ("leave", ada.user_id, False)]


@pytest.mark.parametrize("query", ["", "?atomic=false"])
def test_of_bulks_with_the_same_external_ids_in_any_order_each_is_recorded_once(
    ada: ApiClient, query: str
) -> None:
    for n in range(8):
        rows = [ROW | {"external_id": f"{n}/{m}"} for m in range(60)]
        orders = [rows, rows[::-1], rows[30:] + rows[:30]]

        answers = at_once(*(partial(post, ada, order, query) for order in orders))

        # There is no deadlock, so no request gets a 503.
        assert {answer.status_code for answer in answers} <= {200, 201, 409}
        assert Transaction.objects.count() == 60 * (n + 1)
    assert_exact(User.objects.get(pk=ada.user_id))


@pytest.mark.parametrize("query", ["", "?atomic=false"])
def test_while_a_bulk_waits_it_holds_nothing_that_the_other_may_want(
    ada: ApiClient, query: str
) -> None:
    rows = [ROW | {"external_id": name} for name in ("z", "a")]
    late = overtaken(
        call=partial(post, ada, rows, query),
        by=lambda: record(ada.user, external_id="a"),  # type: ignore[arg-type]
        then=lambda: record(ada.user, external_id="z"),  # type: ignore[arg-type]
    )

    assert late.status_code == (200 if query else 409)
    assert Transaction.objects.count() == 2


@pytest.mark.parametrize("query", ["", "?atomic=false"])
def test_an_external_id_that_is_taken_at_the_same_moment_is_named(
    ada: ApiClient, query: str
) -> None:
    rows = [ROW | {"external_id": name} for name in ("a", "b", "c")]
    late = overtaken(
        call=partial(post, ada, rows, query),
        by=lambda: record(ada.user, external_id="b"),  # type: ignore[arg-type]
    )

    holder = Transaction.objects.get(external_id="b")
    told = late.json()["results"][1] if query else late.json()
    assert (told["status"], told["index"], told["existing_id"]) == (409, 1, str(holder.pk))
    assert Transaction.objects.count() == (3 if query else 1)
    assert_exact(User.objects.get(pk=ada.user_id))


@pytest.mark.parametrize("query", ["", "?atomic=false"])
def test_an_external_id_that_was_taken_in_vain_is_free(ada: ApiClient, query: str) -> None:
    rows = [ROW | {"external_id": name} for name in ("a", "b", "c")]
    late = overtaken(
        call=partial(post, ada, rows, query),
        by=lambda: record(ada.user, external_id="b"),  # type: ignore[arg-type]
        in_vain=True,
    )

    assert late.json()["created"] == 3
    assert Transaction.objects.count() == 3
    assert_exact(User.objects.get(pk=ada.user_id))
