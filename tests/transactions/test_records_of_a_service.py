"""A service account reads, changes and deletes what it recorded itself, and nothing else."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP, AccessLogEntry, User
from tests import bulks, movements
from tests.api_keys import Machine
from tests.client import ApiClient
from tests.factories import UserFactory, record, wallet
from tests.imports import csv, imported
from tests.races import overtaken
from tests.wallets import held
from transactions import operations
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
NOWHERE = "00000000-0000-7000-8000-000000000000"
ROW = {"transaction_date": "2026-01-31", "transaction_amount": "7.50", "transaction_type": "debit"}
SECRETS = {"full_name": "Jane Doe", "description": "Tea"}
METHODS: dict[str, Any] = {"get": None, "put": ROW, "patch": {"category": "x"}, "delete": None}


def service_named(name: str) -> ApiClient:
    user = UserFactory.create(username=name)
    user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    return ApiClient(user)


@pytest.fixture
def service(db: None) -> ApiClient:
    return service_named("bank")


@pytest.fixture
def other(db: None) -> ApiClient:
    return service_named("shop")


def recorded(client: ApiClient, owner: ApiClient, **fields: Any) -> str:
    """The path of a transaction that the client has recorded for the owner."""
    answer = client.post("/transactions", ROW | {"user_id": owner.user_id} | fields)
    assert answer.status_code == 201, answer.content
    return f"/transactions/{answer.json()['id']}"


def present(path: str) -> Transaction:
    return Transaction.objects.get(pk=path.rpartition("/")[2])


def is_like_nothing(client: ApiClient, method: str, path: str) -> bool:
    there = client.request(method, path, METHODS[method])
    nowhere = client.request(method, f"/transactions/{NOWHERE}", METHODS[method])
    there_as_nowhere = there.content.replace(path.rpartition("/")[2].encode(), NOWHERE.encode())
    assert (there.status_code, nowhere.status_code) == (404, 404)
    return bool(there_as_nowhere == nowhere.content)


def test_it_reads_changes_and_deletes_what_it_recorded(service: ApiClient, ada: ApiClient) -> None:
    path = recorded(service, ada)

    read = service.get(path)
    changed = service.patch(path, {"transaction_amount": "8.00"})
    replaced = service.put(path, ROW | {"category": "tea"})

    assert (read.status_code, read.json()["user_id"]) == (200, ada.user_id)
    assert (changed.status_code, changed.json()["transaction_amount"]) == (200, "8.00")
    assert (replaced.json()["transaction_amount"], replaced.json()["category"]) == ("7.50", "tea")
    assert ada.get("/analytics").json()["total_debit"] == "7.50"
    movements.assert_exact(User.objects.get(pk=ada.user_id))
    assert service.delete(path).status_code == 204
    assert service.get(path).status_code == 404
    assert ada.get("/analytics").json()["total_transactions"] == 0
    movements.assert_exact(User.objects.get(pk=ada.user_id))


def test_its_owner_may_still_do_all_of_it(service: ApiClient, ada: ApiClient) -> None:
    path = recorded(service, ada, **SECRETS)

    assert ada.get(path).json()["full_name"] == "Jane Doe"
    assert ada.patch(path, {"description": "Coffee"}).status_code == 200
    assert present(path).recorded_by == service.user_id
    assert service.get(path).status_code == 200
    assert ada.delete(path).status_code == 204
    assert service.get(path).status_code == 404


@pytest.mark.parametrize("method", METHODS)
def test_for_other_services_it_is_not_there(
    service: ApiClient, other: ApiClient, ada: ApiClient, method: str
) -> None:
    path = recorded(service, ada)
    # Nobody is shown a kept answer: there is none.
    assert [service.get(path).headers.get("X-Cache") for _ in range(2)] == [None, None]

    assert is_like_nothing(other, method, path)
    assert present(path).version == 1


@pytest.mark.parametrize("method", METHODS)
def test_what_its_owner_or_another_recorded_is_not_there_for_it(
    service: ApiClient, other: ApiClient, ada: ApiClient, staff: ApiClient, method: str
) -> None:
    assert ada.user
    paths = [
        f"/transactions/{record(ada.user).pk}",
        recorded(ada, ada),
        recorded(other, ada),
        recorded(other, other),
        recorded(staff, ada),
    ]

    assert all(is_like_nothing(service, method, path) for path in paths)
    assert all(present(path).version == 1 for path in paths)


@pytest.mark.parametrize("method", METHODS)
def test_an_account_that_is_no_service_any_more_has_no_such_right(
    service: ApiClient, ada: ApiClient, method: str
) -> None:
    path = recorded(service, ada)
    assert service.user
    service.user.groups.clear()

    assert is_like_nothing(service, method, path)


@pytest.mark.parametrize("method", METHODS)
def test_staff_need_the_permission_for_what_they_recorded(ada: ApiClient, method: str) -> None:
    clerk = ApiClient(UserFactory.create(is_staff=True))
    clerk.grant("transactions.add_transaction")
    path = recorded(clerk, ada)

    assert is_like_nothing(clerk, method, path)


def test_names_stay_masked_because_the_owners_may_be_among_them(
    service: ApiClient, ada: ApiClient
) -> None:
    paths = [recorded(service, ada), recorded(service, ada, **SECRETS)]
    ada.patch(paths[1], {"description": "For the doctor", "full_name": "Dr Who"})

    for path in paths:
        for method in ("get", "patch", "put"):
            shown = service.request(method, path, METHODS[method])
            assert shown.status_code == 200
            assert shown.json()["description"] in {None, "•••"}
            assert "•••" in shown.json()["full_name"]
    assert not AccessLogEntry.objects.exclude(what__startswith="change").exists()


def test_what_it_sends_is_written(service: ApiClient, ada: ApiClient) -> None:
    path = recorded(service, ada)

    service.patch(path, SECRETS)

    shown = ada.get(path).json()
    assert {name: shown[name] for name in SECRETS} == SECRETS
    assert ada.get("/transactions", full_name="jane doe").json()["results"] == [shown]


def test_its_lists_have_only_its_own(service: ApiClient, ada: ApiClient) -> None:
    recorded(service, ada)
    own = recorded(service, service)

    listed = service.get("/transactions").json()["results"]
    assert [f"/transactions/{row['id']}" for row in listed] == [own]
    assert service.get("/transactions", user_id=ada.user_id).json()["results"] == []
    assert service.get("/transactions/analytics").json()["total_transactions"] == 1


def test_it_moves_the_owners_wallet_and_only_as_far_as_it_can(
    service: ApiClient, ada: ApiClient
) -> None:
    assert ada.user
    main = wallet(ada.user, "main", USD="10.00")
    path = recorded(service, ada, wallet="main")

    refused = service.patch(path, {"transaction_amount": "10.01"})
    assert (refused.status_code, refused.json()["code"]) == (409, "insufficient-funds")
    assert held(main) == {"USD": Decimal("2.50")}
    assert service.delete(path).status_code == 204
    assert held(main) == {"USD": Decimal("10.00")}


def test_a_tag_binds_its_writes(service: ApiClient, ada: ApiClient) -> None:
    answer = service.post("/transactions", ROW | {"user_id": ada.user_id})
    path, tag = f"/transactions/{answer.json()['id']}", answer.headers["ETag"]
    assert service.get(path).headers["ETag"] == tag
    ada.patch(path, {"category": "y"})

    for method in ("put", "patch", "delete"):
        late = service.request(method, path, METHODS[method], HTTP_IF_MATCH=tag)
        assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    assert present(path).category == "y"


def test_its_change_of_one_that_the_owner_deletes_meanwhile_is_404(
    service: ApiClient, ada: ApiClient
) -> None:
    path = recorded(service, ada)
    row = present(path)

    answer = overtaken(
        call=lambda: service.patch(path, {"category": "x"}),
        by=lambda: operations.delete(row=row),
    )

    assert answer.status_code == 404
    assert not Transaction.objects.exists()


def test_a_key_needs_the_scope_as_for_its_own(service: ApiClient, ada: ApiClient) -> None:
    path = recorded(service, ada)
    assert service.user
    reads = Machine(service.user, "transactions:read")

    assert reads.get(path).status_code == 200
    assert reads.patch(path, {"category": "x"}).json()["code"] == "scope-missing"
    assert reads.delete(path).status_code == 403


def by_bulk(client: ApiClient, owner: ApiClient) -> None:
    bulks.each(client, [bulks.ROW | {"user_id": owner.user_id}])


def by_named_bulk(client: ApiClient, owner: ApiClient) -> None:
    bulks.each(client, [bulks.ROW | {"user_id": owner.user_id, "external_id": "a"}])


def by_event(client: ApiClient, owner: ApiClient) -> None:
    event = {"type": "deposit", "amount": "1", "user_id": owner.user_id, "time": 1}
    assert client.post("/events", event).status_code == 200


def by_import(client: ApiClient, owner: ApiClient) -> None:
    imported(client, csv("2026-01-31,1,credit"), user_id=owner.user_id)


def by_key(client: ApiClient, owner: ApiClient) -> None:
    body = ROW | {"user_id": owner.user_id}
    for _ in range(2):
        answer = client.post("/transactions", body, HTTP_IDEMPOTENCY_KEY="a")
        assert answer.status_code == 201


def with_external_id(client: ApiClient, owner: ApiClient) -> None:
    recorded(client, owner, external_id="a")


def in_wallet(client: ApiClient, owner: ApiClient) -> None:
    assert owner.user
    wallet(owner.user, "main", USD="10.00")
    recorded(client, owner, wallet="main")


WAYS = [by_bulk, by_named_bulk, by_event, by_import, by_key, with_external_id, in_wallet]


@pytest.mark.parametrize("way", WAYS)
def test_whatever_the_way_it_is_known_who_recorded(
    service: ApiClient, ada: ApiClient, way: Any
) -> None:
    way(service, ada)

    row = Transaction.objects.get()
    assert (row.user_id, row.recorded_by) == (ada.user_id, service.user_id)
    assert service.delete(f"/transactions/{row.pk}").status_code == 204


@pytest.mark.parametrize("way", WAYS)
def test_ones_own_name_nobody(ada: ApiClient, way: Any) -> None:
    way(ada, ada)

    assert Transaction.objects.get().recorded_by is None
