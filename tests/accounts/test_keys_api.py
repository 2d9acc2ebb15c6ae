"""/users/me/keys: a user's own API keys."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from accounts import keys
from accounts.models import ApiKey
from fido.lib.values import clock
from tests.api_keys import Machine
from tests.client import ApiClient, errors_of
from tests.races import at_once

KEYS = "/users/me/keys"
BODY = {"name": "bank", "scopes": ["transactions:read", "transactions:write"]}


def test_a_new_key_is_shown_once_and_stored_as_a_digest(ada: ApiClient) -> None:
    answer = ada.post(KEYS, BODY)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    made = answer.json()
    assert made["key"].startswith(f"fido_{ada.user_id}_{made['prefix'].rpartition('_')[2]}")
    assert len(made["prefix"]) == len(f"fido_{ada.user_id}_") + 6
    listed = ada.get(KEYS).json()["results"]
    assert listed == [made | {"key": None}]
    stored = str(list(ApiKey.objects.values()))
    assert made["key"] not in stored
    assert made["key"].rpartition("_")[2] not in stored


def test_it_opens_what_its_user_may_see(ada: ApiClient, ben: ApiClient) -> None:
    key = ada.post(KEYS, BODY).json()["key"]
    machine = ApiClient(token=key)
    body = {
        "transaction_amount": "1",
        "transaction_type": "credit",
        "transaction_date": "2026-01-31",
    }

    recorded = machine.post("/transactions", body)

    assert (recorded.status_code, recorded.json()["user_id"]) == (201, ada.user_id)
    assert machine.get("/transactions").json()["results"][0]["id"] == recorded.json()["id"]
    theirs = ben.post("/transactions", body).json()["id"]
    assert machine.get(f"/transactions/{theirs}").status_code == 404


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_may_be_in_any_case(ada: ApiClient, scheme: str) -> None:
    assert ada.user
    for credential in (Machine(ada.user, name=scheme).key, ada.token):
        answer = ApiClient().request(
            "get", "/users/me", HTTP_AUTHORIZATION=f"{scheme} {credential}"
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": ""}, ("#/name", "blank")),
        ({"name": "x" * 101}, ("#/name", "max-length")),
        ({"scopes": []}, ("#/scopes", "min-length")),
        ({"scopes": ["transactions"]}, ("#/scopes/0", "invalid-choice")),
        ({"scopes": "users:read"}, ("#/scopes", "not-a-list")),
        ({"expires_at": "yesterday"}, ("#/expires_at", "invalid")),
        ({"expires_at": "2020-01-31"}, ("#/expires_at", "in-the-past")),
        ({"key": "fido_mine"}, ("#/key", "unknown")),
    ],
)
def test_a_refused_key_is_not_made(
    ada: ApiClient, change: dict[str, Any], error: tuple[str, str]
) -> None:
    assert errors_of(ada.post(KEYS, BODY | change)) == [error]
    assert not ApiKey.objects.exists()


def test_a_name_is_taken_once_per_user(ada: ApiClient, ben: ApiClient) -> None:
    assert [ada.post(KEYS, BODY).status_code, ben.post(KEYS, BODY).status_code] == [201, 201]

    assert errors_of(ada.post(KEYS, BODY)) == [("#/name", "taken")]
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize(
    ("sent", "answered"),
    [
        ("2100-01-31", "2100-01-31T00:00:00Z"),
        ("2100-01-31T12:00:00+01:00", "2100-01-31T11:00:00Z"),
        (None, None),
    ],
)
def test_a_key_may_have_an_end(ada: ApiClient, sent: str | None, answered: str | None) -> None:
    made = ada.post(KEYS, BODY | {"expires_at": sent}).json()

    assert made["expires_at"] == answered
    assert ada.get(KEYS).json()["results"][0]["expires_at"] == answered
    assert ApiClient(token=made["key"]).get("/transactions").status_code == 200


def test_a_scope_that_is_named_twice_counts_once(ada: ApiClient) -> None:
    made = ada.post(KEYS, BODY | {"scopes": ["users:read", "events:write", "users:read"]}).json()

    assert made["scopes"] == ["events:write", "users:read"]


def test_no_more_than_so_many(ada: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_KEYS", 2)
    made = [ada.post(KEYS, BODY | {"name": name}) for name in "abc"]

    assert [answer.status_code for answer in made] == [201, 201, 409]
    assert made[2].json()["code"] == "too-many-keys"
    assert ada.delete(f"{KEYS}/{made[0].json()['id']}").status_code == 204
    assert ada.post(KEYS, BODY).status_code == 201


@pytest.mark.django_db(transaction=True)
def test_nor_at_once(ada: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "MAX_KEYS", 3)
    bodies = [BODY | {"name": str(n)} for n in range(8)]

    answers = at_once(*(partial(ada.post, KEYS, body) for body in bodies))

    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 5
    assert ApiKey.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_of_eight_keys_of_one_name_at_once_one_is_made(ada: ApiClient) -> None:
    answers = at_once(*[partial(ada.post, KEYS, BODY)] * 8)

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 7
    assert ApiKey.objects.count() == 1


def test_somebody_elses_key_does_not_exist(ada: ApiClient, ben: ApiClient) -> None:
    made = ada.post(KEYS, BODY).json()

    assert ben.get(KEYS).json()["results"] == []
    assert ben.delete(f"{KEYS}/{made['id']}").status_code == 404
    assert ApiClient(token=made["key"]).get("/transactions").status_code == 200


def test_a_revoked_key_opens_nothing_and_is_gone(ada: ApiClient) -> None:
    made = ada.post(KEYS, BODY).json()
    machine = ApiClient(token=made["key"])
    assert machine.get("/transactions").status_code == 200

    answer = ada.delete(f"{KEYS}/{made['id']}")

    assert (answer.status_code, answer.content) == (204, b"")
    for refused in (machine.get("/transactions"), machine.post("/transactions", {})):
        assert (refused.status_code, refused.json()["code"]) == (401, "invalid-key")
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert ada.delete(f"{KEYS}/{made['id']}").status_code == 404
    assert ada.get(KEYS).json()["results"] == []


def test_if_match_binds_a_revocation(ada: ApiClient) -> None:
    path = f"{KEYS}/{ada.post(KEYS, BODY).json()['id']}"

    assert ada.request("delete", path, HTTP_IF_MATCH='"another"').status_code == 412
    assert len(ada.get(KEYS).json()["results"]) == 1


def test_nobody_makes_keys_without_logging_in(db: None, anybody: ApiClient) -> None:
    assert anybody.post(KEYS, BODY).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [("get", KEYS), ("post", KEYS), ("delete", KEYS), ("post", "/users/me/password")],
)
def test_what_no_key_may_do(ada: ApiClient, method: str, path: str) -> None:
    assert ada.user
    machine = Machine(ada.user)
    path = f"{KEYS}/{machine.row.pk}" if method == "delete" else path

    answer = machine.request(method, path, {} if method == "post" else None)

    assert (answer.status_code, answer.json()["code"]) == (403, "login-needed")
    assert ApiKey.objects.count() == 1


def test_when_it_was_last_used_is_noted_once_an_hour(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ada.user
    machine = Machine(ada.user)

    def last_used() -> Any:
        (row,) = ada.get(KEYS).json()["results"]
        return row["last_used_at"]

    assert last_used() is None
    machine.get("/transactions")
    first = last_used()
    assert first is not None
    machine.get("/transactions")
    assert last_used() == first
    later = clock.now() + timedelta(hours=1, seconds=1)
    monkeypatch.setattr("time.time", later.timestamp)
    machine.get("/transactions")
    assert last_used() > first
