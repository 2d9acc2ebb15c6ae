"""Refusals have one format, RFC 9457, and codes that clients can rely on."""

import json
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction
from django.http import JsonResponse
from django.test import RequestFactory
from rest_framework import exceptions

from accounts.models import User
from fido.lib.api import problems
from fido.lib.api.problems import QueryInvalid, exception_handler
from fido.lib.values.errors import DomainError, InvalidInput, NotFound
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.races import DEADLINE_SECONDS, and_disconnect, at_once

PATH = "/api/v1/transactions"


def handled(error: Exception) -> JsonResponse:
    request = RequestFactory().get(PATH, {"full_name": "Jane Doe"})
    answer = exception_handler(error, {"request": request})
    assert answer is not None
    return answer


def body_of(error: Exception) -> problems.Json:
    body: problems.Json = json.loads(handled(error).content)
    return body


def test_a_problem_has_every_member_and_no_query_string() -> None:
    assert body_of(NotFound()) == {
        "type": "urn:fido:problem:not-found",
        "title": "There is no such record.",
        "status": 404,
        "detail": "There is no such record.",
        "instance": PATH,
        "code": "not-found",
    }
    assert handled(NotFound()).headers["Content-Type"] == "application/problem+json"


def test_an_error_of_a_field_points_into_the_body() -> None:
    nested: Any = {"a/b~c": {"0": ["x"]}, "non_field_errors": ["y"]}
    errors = body_of(exceptions.ValidationError(nested))["errors"]

    assert [error["pointer"] for error in errors] == ["#/a~1b~0c/0", "#"]


def test_a_lone_surrogate_in_a_key_does_not_break_the_answer() -> None:
    errors = body_of(exceptions.ValidationError({"\ud800": ["x"]}))["errors"]

    assert errors == [{"pointer": "#/?", "code": "invalid", "detail": "x"}]


def test_an_error_of_the_query_names_its_parameter() -> None:
    errors = body_of(QueryInvalid({"limit": exceptions.ErrorDetail("x", "invalid")}))["errors"]

    assert errors == [{"parameter": "limit", "code": "invalid", "detail": "x"}]


def test_an_error_that_only_the_domain_detects_looks_like_any_other() -> None:
    errors = body_of(InvalidInput("email", "taken", "This e-mail address is taken."))["errors"]

    assert errors == [
        {"pointer": "#/email", "code": "taken", "detail": "This e-mail address is taken."}
    ]


@pytest.mark.parametrize("error", [OperationalError("secret"), InterfaceError("secret")])
def test_a_missing_database_is_a_503_that_says_when_to_retry(db: None, error: Exception) -> None:
    answer = handled(error)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert body_of(error)["code"] == "database-unavailable"
    assert b"secret" not in answer.content


def deadlock() -> None:
    """Two transactions wait for each other; of one of them PostgreSQL makes an error."""

    def lock(first: int, second: int) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [first])
            both.wait(DEADLINE_SECONDS)
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [second])

    both = Barrier(2)
    at_once(partial(lock, 1, 2), partial(lock, 2, 1))


def conflict() -> None:
    """A snapshot shows a row as it was before another transaction changed it."""
    user = UserFactory.create()
    rows = User.objects.filter(pk=user.pk)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        rows.get()
        with ThreadPoolExecutor(1) as pool:
            edit = partial(rows.update, currency="JPY")
            pool.submit(and_disconnect, edit).result()
        rows.update(currency="KWD")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("collide", [deadlock, conflict])
def test_a_transaction_that_was_in_the_way_is_a_503(collide: Callable[[], None]) -> None:
    with pytest.raises(OperationalError) as error:
        collide()

    assert body_of(error.value)["code"] == "busy"
    assert handled(error.value).headers["Retry-After"] == "2"


def test_a_bug_is_not_handled_here() -> None:
    request = RequestFactory().get(PATH)

    assert exception_handler(ZeroDivisionError(), {"request": request}) is None


def test_a_bug_is_a_500_that_reveals_nothing(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(User, "may_for_others", broken)
    answer = ada.get("/users")

    assert answer.status_code == 500
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.json()["code"], answer.json()["instance"]) == ("internal-error", "/api/v1/users")
    assert b"secret" not in answer.content


def test_every_code_of_the_domain_is_kebab_case() -> None:
    def below(kind: type[DomainError]) -> list[type[DomainError]]:
        return [kind, *(inner for sub in kind.__subclasses__() for inner in below(sub))]

    codes = [kind.code for kind in below(DomainError)]
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)


def test_a_401_says_how_to_log_in(anybody: ApiClient, db: None) -> None:
    refused = anybody.post("/auth/login", {"username": "nobody", "password": "x"})
    unknown = anybody.get("/users/me")

    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert unknown.headers["WWW-Authenticate"] == 'Bearer realm="api"'
