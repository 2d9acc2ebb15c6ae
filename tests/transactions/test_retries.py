"""POST /transactions with an Idempotency-Key: a repeat gets the answer and is not done again."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import connection
from django.test import RequestFactory
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from accounts.models import SERVICE_GROUP, AccessLogEntry, User
from analytics.models import DailyTotals
from fido import tasks
from fido.lib.api import idempotency
from fido.lib.api.idempotency import Attempt
from fido.lib.values import clock
from fido.lib.values.limits import Rate
from fido.models import IdempotencyKey
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory
from tests.key_rings import forget_older_keys, rotate, stored
from transactions.models import Transaction

BODY = {
    "transaction_date": "2026-01-31",
    "transaction_amount": 19.99,
    "transaction_type": "debit",
    "description": "Punched cards",
}
KEPT_HEADERS = ("Content-Type", "Location", "ETag")

pytestmark = pytest.mark.django_db


def counts() -> tuple[int, ...]:
    """Transactions, rows of totals, keys."""
    return tuple(model.objects.count() for model in (Transaction, DailyTotals, IdempotencyKey))


def post(client: ApiClient, body: Any = BODY, key: str = "order 1", path: str = "") -> Any:
    return client.post(f"/transactions{path}", body, HTTP_IDEMPOTENCY_KEY=key)


def replayed(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotent-Replayed") == "true")


def test_the_same_again_is_the_first_answer_to_the_byte(ada: ApiClient) -> None:
    first, second, third = (post(ada) for _ in range(3))

    assert [replayed(answer) for answer in (first, second, third)] == [False, True, True]
    for answer in (second, third):
        assert (answer.status_code, answer.content) == (201, first.content)
        assert [answer.headers[h] for h in KEPT_HEADERS] == [first.headers[h] for h in KEPT_HEADERS]
    assert counts() == (1, 1, 1)


def test_without_a_key_each_is_recorded(ada: ApiClient) -> None:
    assert [ada.post("/transactions", BODY).status_code for _ in range(2)] == [201, 201]
    assert counts() == (2, 2, 0)


def test_spacing_and_order_do_not_make_it_another_request(ada: ApiClient) -> None:
    first = post(ada, json.dumps(BODY))

    second = post(ada, json.dumps(dict(reversed(BODY.items())), indent=3), path="/")

    assert (replayed(second), second.content) == (True, first.content)


@pytest.mark.parametrize(
    "change",
    [{"transaction_amount": 19.98}, {"transaction_amount": "19.99"}, {"description": None},
     {"external_id": "a"}, {"ammount": 1}],
    ids=str,
)  # fmt: skip
def test_another_body_under_the_same_key_is_refused(ada: ApiClient, change: Any) -> None:
    post(ada)

    answer = post(ada, BODY | change)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert counts() == (1, 1, 1)
    assert replayed(post(ada))


@pytest.mark.parametrize(("one", "other"), [("1.0", "1.00"), ("1e0", "1.0"), ("1", "true")])
def test_numbers_are_compared_as_they_were_written(ada: ApiClient, one: str, other: str) -> None:
    body = json.dumps(BODY).replace("19.99", "%s")
    assert post(ada, body % one).status_code == 201

    assert post(ada, body % other).status_code == 422
    assert replayed(post(ada, body % one))


def test_another_route_or_query_under_the_same_key_is_refused(ada: ApiClient) -> None:
    assert post(ada, [BODY], path="/bulk").status_code == 201

    assert post(ada, [BODY], path="/bulk?atomic=false").status_code == 422
    assert post(ada).status_code == 422
    assert counts() == (1, 1, 1)


def test_another_key_is_another_request(ada: ApiClient) -> None:
    assert post(ada).json()["id"] != post(ada, key="order 2").json()["id"]
    assert counts() == (2, 2, 2)


def test_a_key_is_its_callers_own(ada: ApiClient, ben: ApiClient) -> None:
    answers = [post(ada), post(ben)]

    assert [answer.json()["user_id"] for answer in answers] == [ada.user_id, ben.user_id]
    assert [replayed(answer) for answer in answers] == [False, False]


def test_the_key_belongs_to_who_records_and_not_to_whom_it_is_recorded_for(
    staff: ApiClient, ada: ApiClient
) -> None:
    body = BODY | {"user_id": ada.user_id}
    first, second = post(staff, body), post(staff, body)

    assert (replayed(second), second.content) == (True, first.content)
    assert IdempotencyKey.objects.get().user_id == staff.user_id
    assert post(ada, body).status_code == 201
    assert Transaction.objects.filter(user_id=ada.user_id).count() == 2
    assert AccessLogEntry.objects.count() == 1  # the replay shows what was opened already


def test_a_refusal_does_not_use_the_key_up(ada: ApiClient) -> None:
    assert errors_of(post(ada, BODY | {"transaction_amount": 0}))
    assert errors_of(post(ada, BODY | {"transaction_amount": "0.5", "currency": "JPY"}))
    assert counts() == (0, 0, 0)

    assert post(ada).status_code == 201
    assert counts() == (1, 1, 1)


def test_a_taken_external_id_does_not_use_the_key_up(ada: ApiClient) -> None:
    body = BODY | {"external_id": "inv/1"}
    first = post(ada, body, key="one").json()

    for _ in range(2):
        refused = post(ada, body, key="two")
        assert (refused.status_code, refused.json()["existing_id"]) == (409, first["id"])
    assert counts() == (1, 1, 1)
    assert replayed(post(ada, body, key="one"))
    assert post(ada, body | {"external_id": "inv/2"}, key="two").status_code == 201


def test_a_replay_tells_what_was_then_and_records_nothing_again(ada: ApiClient) -> None:
    first = post(ada)
    ada.patch(first.headers["Location"], {"transaction_amount": "5.00"})
    edited = post(ada)
    ada.delete(first.headers["Location"])
    deleted = post(ada)

    assert edited.content == deleted.content == first.content
    assert not Transaction.objects.exists()


def test_what_would_be_refused_by_now_is_replayed(ada: ApiClient) -> None:
    importer = ApiClient(UserFactory.create())
    group = Group.objects.get_or_create(name=SERVICE_GROUP)[0]
    importer.user.groups.add(group)  # type: ignore[union-attr]
    first = post(importer, BODY | {"user_id": ada.user_id})
    importer.user.groups.clear()  # type: ignore[union-attr]

    assert post(importer, BODY | {"user_id": ada.user_id}).content == first.content
    assert post(importer, BODY | {"user_id": ada.user_id}, key="other").status_code == 403


def test_a_replay_is_for_who_is_logged_in_and_within_the_rate(
    ada: ApiClient, anybody: ApiClient, settings: Any
) -> None:
    post(ada)
    assert post(anybody).status_code == 401
    settings.REQUESTS_PER_USER = Rate(1, 60)
    assert [post(ada).status_code for _ in range(2)] == [201, 429]
    User.objects.filter(pk=ada.user_id).update(is_active=False)

    assert post(ada).status_code == 401


@pytest.mark.parametrize(
    "key", ["", "x" * 256, "a\tb", "a\nb", "a\0b", "a\x7fb", "caf\xe9", "\u20ac"], ids=ascii
)
def test_a_malformed_key_is_refused(ada: ApiClient, key: str) -> None:
    answer = post(ada, key=key)

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid-idempotency-key")
    assert counts() == (0, 0, 0)


@pytest.mark.parametrize("key", ["x", "x" * 255, " !~,", '"8e03978e"'])
def test_a_well_formed_key_is_taken(ada: ApiClient, key: str) -> None:
    assert [post(ada, key=key).status_code for _ in range(2)] == [201, 201]
    assert counts() == (1, 1, 1)


def test_where_nothing_is_created_the_header_means_nothing(ada: ApiClient) -> None:
    row = post(ada).json()
    for method, path, body in (
        ("patch", f"/transactions/{row['id']}", {"description": "Tea"}),
        ("get", f"/transactions/{row['id']}", None),
        ("post", "/auth/login", {"username": "ada", "password": "correct horse battery"}),
    ):
        answer = ada.request(method, path, body, HTTP_IDEMPOTENCY_KEY="")
        assert (answer.status_code, replayed(answer)) == (200, False)
    assert IdempotencyKey.objects.count() == 1


def test_content_that_nests_too_deeply_to_be_written_is_malformed(rf: RequestFactory) -> None:
    content: list[Any] = []
    for _ in range(100_000):
        content = [content]

    with pytest.raises(ParseError):
        Attempt(Request(rf.post("/", headers={"Idempotency-Key": "a"})), content=content)


def test_the_answer_is_kept_encrypted_and_the_key_as_a_digest(ada: ApiClient) -> None:
    post(ada, key="for Ada Lovelace")

    row = IdempotencyKey.objects.get()
    token = stored(row, "answer")
    assert token
    assert token.startswith(b"gAAAA")
    assert len(row.key_digest) == 32
    with connection.cursor() as cursor:
        cursor.execute("SELECT row::text FROM fido_idempotencykey AS row")
        assert b"Lovelace".hex() not in cursor.fetchone()[0]


def test_answers_follow_when_keys_are_rotated(ada: ApiClient, settings: Any) -> None:
    first = post(ada)
    rotate(settings)
    assert post(ada).content == first.content
    call_command("reencrypt")
    settings.FERNET_KEYS = settings.FERNET_KEYS[:1]

    assert (replayed(post(ada)), post(ada).content) == (True, first.content)


def test_an_answer_that_no_key_opens_is_not_earned_twice(ada: ApiClient, settings: Any) -> None:
    post(ada)
    rotate(settings)
    forget_older_keys(settings)

    answer = post(ada)

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotent-answer-unreadable")
    assert counts() == (1, 1, 1)


def aged(key: str, **age: float) -> IdempotencyKey:
    digest = idempotency._digest(key)
    rows = IdempotencyKey.objects.filter(key_digest=digest)
    rows.update(created_at=clock.now() - timedelta(**age))
    return rows.get()


def test_the_purge_takes_what_is_older_than_a_day_and_nothing_else(
    ada: ApiClient, ben: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "PURGED_AT_ONCE", 2)
    for n in range(5):
        post(ben if n % 2 else ada, key=f"old {n}")
        aged(f"old {n}", hours=24, seconds=1 + n)
    post(ada, key="of today")
    aged("of today", hours=23, minutes=59)

    tasks.purge_idempotency_keys()

    assert list(IdempotencyKey.objects.all()) == [aged("of today", hours=1)]
    assert Transaction.objects.count() == 6
    assert replayed(post(ada, key="of today"))
    assert not replayed(post(ada, key="old 0"))
