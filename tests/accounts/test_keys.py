"""What ends a key, and what does not: the next request knows, in every process."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django_redis import get_redis_connection

from accounts import keys, operations
from accounts.api import authentication
from accounts.logins import Login
from accounts.models import ApiKey, User
from fido.lib.cache import versioned_cache
from fido.lib.values import clock
from fido.lib.values.memory import Memory
from tests.api_keys import Machine
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.fences import Step, steps, writer_stands
from tests.races import overtaken

__all__ = ["steps"]
pytestmark = pytest.mark.django_db(transaction=True)
ROW = {"transaction_amount": "1", "transaction_type": "credit", "transaction_date": "2026-01-31"}


@pytest.fixture
def machine(ada: ApiClient) -> Machine:
    """A key that this process knows."""
    assert ada.user
    machine = Machine(ada.user)
    assert machine.get("/analytics").status_code == 200
    return machine


class OtherProcess:
    """Another process's memory, in this one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch
        self._keys = Memory[bytes, authentication.KnownKey](10)

    def get(self, client: ApiClient, path: str) -> int:
        with self._patch.context() as patch:
            patch.setattr(authentication, "_keys", self._keys)
            status: int = client.get(path).status_code
        return status


def statuses(machine: ApiClient) -> list[int]:
    return [machine.get("/analytics").status_code, machine.post("/transactions", ROW).status_code]


def revokes(machine: Machine) -> None:
    machine.revoke()


def deactivates(machine: Machine) -> None:
    operations.set_active(user=User.objects.get(pk=machine.user_id), active=False)


ENDS = [revokes, deactivates]


@pytest.mark.parametrize("end", ENDS)
def test_what_ends_a_key_is_known_to_the_next_request_of_every_process(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, end: Callable[[Machine], None]
) -> None:
    other = OtherProcess(monkeypatch)
    assert other.get(machine, "/analytics") == 200

    end(machine)

    assert other.get(machine, "/analytics") == 401
    assert statuses(machine) == [401, 401]


@pytest.mark.parametrize("end", ENDS)
def test_also_with_redis_away(
    machine: Machine, request: pytest.FixtureRequest, end: Callable[[Machine], None]
) -> None:
    request.getfixturevalue("redis_away")
    assert statuses(machine) == [200, 201]

    end(machine)

    assert statuses(machine) == [401, 401]


def test_a_revocation_is_fenced_like_every_write(machine: Machine, steps: list[Step]) -> None:
    machine.revoke()

    assert steps == [("enter", machine.user_id, False), ("leave", machine.user_id, False)]
    assert not writer_stands(machine.user_id)


def test_a_key_that_is_revoked_while_a_process_looks_it_up_is_not_remembered_for_good(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ada.user
    machine, use = Machine(ada.user), keys.use

    def revoked_meanwhile(**kwargs: Any) -> Any:
        found = use(**kwargs)
        machine.revoke()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(keys, "use", revoked_meanwhile)
        machine.get("/analytics")  # it began before the revocation had ended
    assert statuses(machine) == [401, 401]


def test_other_keys_of_the_user_go_on(machine: Machine, ben: ApiClient) -> None:
    assert machine.user
    assert ben.user
    others = [Machine(machine.user, name="other"), Machine(ben.user)]
    assert [statuses(other) for other in others] == [[200, 201]] * 2

    machine.revoke()

    assert [statuses(other) for other in others] == [[200, 201]] * 2


def test_a_revocation_that_rolls_back_changes_nothing(machine: Machine) -> None:
    epoch = User.objects.get(pk=machine.user_id).key_epoch
    with pytest.raises(Exception, match="no such record"):
        keys.revoke(user_id=machine.user_id, key_id=uuid.uuid4())

    assert User.objects.get(pk=machine.user_id).key_epoch == epoch
    assert statuses(machine) == [200, 201]


def test_passwords_and_logins_do_not_concern_keys(machine: Machine) -> None:
    user = User.objects.get(pk=machine.user_id)

    operations.change_password(user=user, new_password="staple battery horse", session_id=None)
    assert statuses(machine) == [200, 201]
    operations.set_password(user=user, password="another horse battery")
    assert statuses(machine) == [200, 201]
    operations.end_sessions(user=user)
    assert statuses(machine) == [200, 201]


def test_being_let_in_again_revives_no_key(machine: Machine) -> None:
    user = User.objects.get(pk=machine.user_id)

    for active in (False, True):
        operations.set_active(user=user, active=active)

    assert statuses(machine) == [401, 401]
    assert not ApiKey.objects.exists()


def test_an_inactive_users_key_is_refused_however_that_came_about(machine: Machine) -> None:
    # Bypasses the operation, which would also delete the keys.
    User.objects.filter(pk=machine.user_id).update(is_active=False)
    get_redis_connection().flushdb()

    assert statuses(machine) == [401, 401]


def test_a_key_ends_when_it_expires_though_the_process_knows_it(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ada.user
    end = clock.now() + timedelta(minutes=2)
    machine = Machine(ada.user, expires_at=end)
    assert statuses(machine) == [200, 201]

    monkeypatch.setattr("time.time", lambda: end.timestamp() + 1)
    monkeypatch.setattr(clock, "now", lambda: end + timedelta(seconds=1))

    assert statuses(machine) == [401, 401]


@pytest.mark.parametrize(
    "key",
    [
        "fido_",
        "fido_1",
        "fido__" + "0" * 64,
        "fido_1_" + "0" * 63,
        "fido_1_" + "G" * 64,
        "fido_9999999999999999999_" + "0" * 64,
        "fido_{ada}_" + "0" * 64,
        "fido_0{ada}_{secret}",
        "fido_{ben}_{secret}",
        "fido_{ada}_{secret}0",
        "FIDO_{ada}_{secret}",
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
    ],
)
def test_what_is_no_key_opens_nothing(ada: ApiClient, ben: ApiClient, key: str) -> None:
    assert ada.user
    secret = Machine(ada.user).key.rpartition("_")[2]
    wrong = ApiClient(token=key.format(ada=ada.user_id, ben=ben.user_id, secret=secret))

    assert wrong.get("/users/me").status_code == 401


def test_an_invented_key_asks_nothing_of_redis(ada: ApiClient) -> None:
    invented = ApiClient(token=f"fido_12345_{'0' * 64}")

    assert invented.get("/analytics").status_code == 401

    assert get_redis_connection().keys("fido:{12345}*") == []


@pytest.fixture
def warm(machine: Machine) -> Machine:
    for _ in range(2):
        machine.get("/analytics")
    return machine


def test_a_kept_answer_costs_no_query_and_a_write_none_more_than_a_tokens(
    warm: Machine, ada: ApiClient
) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert warm.get("/analytics").headers["X-Cache"] == "hit"
    assert len(queries) == 0

    counts = []
    for client in (ada, warm):
        with CaptureQueriesContext(connection) as queries:
            assert client.post("/transactions", ROW).status_code == 201
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_a_key_that_is_refused_again_and_again_costs_no_write(warm: Machine) -> None:
    warm.revoke()
    assert warm.get("/analytics").status_code == 401

    with CaptureQueriesContext(connection) as queries:
        assert warm.get("/analytics").status_code == 401
    updates = [query for query in queries if query["sql"].startswith("UPDATE")]
    assert len(queries) <= 3
    assert len(updates) <= 1  # which finds no row


def test_a_login_stored_by_the_release_before_does_not_count(machine: Machine) -> None:
    """It knew nothing of keys, so it would say that none was ever revoked."""
    user = User.objects.get(pk=machine.user_id)
    view = versioned_cache.look(user.pk)
    assert view
    versioned_cache.keep_login(view, f"{user.session_epoch.hex}:0")

    with CaptureQueriesContext(connection) as queries:
        assert machine.get("/analytics").headers["X-Cache"] == "hit"
    assert ["key_epoch" in query["sql"] for query in queries] == [True]
    # Nor does that release take ours for one of its own.
    assert Login.of(user).text.partition(":")[0] != user.session_epoch.hex


def test_whoever_is_put_out_meanwhile_makes_no_key(ada: ApiClient) -> None:
    def make() -> Any:
        return ada.post("/users/me/keys", {"name": "late", "scopes": ["users:read"]})

    response = overtaken(
        call=make, by=lambda: operations.end_sessions(user=User.objects.get(pk=ada.user_id))
    )

    assert (response.status_code, response.json()["code"]) == (401, "invalid-token")
    assert not ApiKey.objects.exists()


def test_a_service_account_needs_no_login(ada: ApiClient) -> None:
    service = UserFactory.create(username="bank")
    service.groups.add(Group.objects.get(name="service"))
    bank = Machine(service, "transactions:write")

    answer = bank.post("/transactions", ROW | {"user_id": ada.user_id})

    assert (answer.status_code, answer.json()["user_id"]) == (201, ada.user_id)
