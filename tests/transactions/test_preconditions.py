"""ETag, If-None-Match and If-Match: no client overwrites what it has not seen."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from accounts.models import AccessLogEntry, User
from analytics.models import DailyTotals
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory, record
from tests.movements import assert_exact
from tests.races import at_once, overtaken
from transactions import operations
from transactions.models import Transaction

BODY = {"transaction_amount": "7.50", "transaction_type": "debit"}
CHANGES: dict[str, Any] = {"put": BODY, "patch": {"description": "Rent"}, "delete": None}

pytestmark = pytest.mark.django_db


@pytest.fixture
def row(ada: ApiClient) -> Transaction:
    assert ada.user
    return record(ada.user, full_name="Ada Lovelace", description="Punched cards")


@pytest.fixture
def clerk(db: None) -> ApiClient:
    """Staff who may read and change all records, but not open names."""
    client = ApiClient(UserFactory.create(username="clerk", is_staff=True))
    client.grant("transactions.view_transaction", "transactions.change_transaction")
    return client


def path(row: Transaction) -> str:
    return f"/transactions/{row.pk}"


def tag(client: ApiClient, row: Transaction) -> str:
    return str(client.get(path(row)).headers["ETag"])


def change(client: ApiClient, method: str, row: Transaction, if_match: str) -> Any:
    return client.request(method, path(row), CHANGES[method], HTTP_IF_MATCH=if_match)


def unchanged(row: Transaction) -> bool:
    return Transaction.objects.filter(pk=row.pk, version=1).exists()


def refused(answer: Any) -> bool:
    assert answer.status_code == 412, answer.content
    return bool(answer.json()["code"] == "precondition-failed")


def test_the_tag_is_strong_and_stays_while_nothing_changes(
    ada: ApiClient, row: Transaction
) -> None:
    tags = {tag(ada, row) for _ in range(2)}

    assert len(tags) == 1
    assert tags.pop().startswith('"')


def test_every_write_answers_the_tag_that_the_next_read_has(ada: ApiClient) -> None:
    created = ada.post("/transactions", BODY | {"transaction_date": "2026-01-31T12:00:00.1234567Z"})
    url = created.headers["Location"]
    answers = [created, ada.get(url)]
    for method in ("patch", "put"):
        answers += [ada.request(method, url, CHANGES[method]), ada.get(url)]

    tags = [answer.headers["ETag"] for answer in answers]

    assert tags[0::2] == tags[1::2]
    assert len(set(tags)) == 3
    assert [answer.content for answer in answers[0::2]] == [a.content for a in answers[1::2]]


def test_an_edit_there_and_back_is_another_state(ada: ApiClient, row: Transaction) -> None:
    first = tag(ada, row)
    ada.patch(path(row), {"description": "Tea"})
    ada.patch(path(row), {"description": "Punched cards"})

    Transaction.objects.filter(pk=row.pk).update(updated_at=row.updated_at)

    assert tag(ada, row) != first


def test_what_the_client_has_is_not_sent_again(ada: ApiClient, row: Transaction) -> None:
    etag = tag(ada, row)

    for method in ("get", "head"):
        for offered in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            answer = ada.request(method, path(row), HTTP_IF_NONE_MATCH=offered)
            assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
            assert answer.headers["Cache-Control"] == "private, no-cache"
    ada.patch(path(row), {"description": "Tea"})
    answer = ada.request("get", path(row), HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer.json()["description"]) == (200, "Tea")


@pytest.mark.parametrize("method", CHANGES)
def test_a_change_of_what_was_seen_goes_through(
    ada: ApiClient, row: Transaction, method: str
) -> None:
    etag = tag(ada, row)

    assert change(ada, method, row, f'"other", {etag}').status_code in {200, 204}
    assert not unchanged(row)


@pytest.mark.parametrize("method", CHANGES)
def test_any_state_will_do_for_an_asterisk(ada: ApiClient, row: Transaction, method: str) -> None:
    operations.amend(row=row, changes={"description": "Tea"})

    assert change(ada, method, row, " * ").status_code in {200, 204}


@pytest.mark.parametrize("method", CHANGES)
@pytest.mark.parametrize(
    "spoiled",
    ["W/{}", '"other"', "{bare}", "{}x", "x{}", "", ",", '"*"', "**", "*, {}x", "\xff", '"' * 999],
    ids=ascii,
)
def test_a_tag_that_is_none_of_it_is_refused(
    ada: ApiClient, row: Transaction, method: str, spoiled: str
) -> None:
    etag = tag(ada, row)

    assert refused(change(ada, method, row, spoiled.format(etag, bare=etag.strip('"'))))
    assert unchanged(row)
    assert DailyTotals.objects.count() == 1


@pytest.mark.parametrize("method", CHANGES)
def test_a_state_that_has_passed_is_refused_and_nothing_changes(
    ada: ApiClient, row: Transaction, method: str
) -> None:
    etag = tag(ada, row)
    operations.amend(row=row, changes={"description": "Tea"})
    before = Transaction.objects.values().get()

    assert refused(change(ada, method, row, etag))
    assert Transaction.objects.values().get() == before
    assert DailyTotals.objects.count() == 1


def test_an_edit_of_nothing_looks_at_the_tag_too(ada: ApiClient, row: Transaction) -> None:
    etag = tag(ada, row)

    same = ada.request("patch", path(row), {}, HTTP_IF_MATCH=etag)
    other = ada.request("patch", path(row), {}, HTTP_IF_MATCH='"other"')

    assert (same.status_code, same.headers["ETag"]) == (200, etag)
    assert refused(other)
    assert unchanged(row)


def test_what_would_be_refused_anyway_is_refused_for_that(
    ada: ApiClient, ben: ApiClient, anybody: ApiClient, row: Transaction
) -> None:
    def with_tag(client: ApiClient, body: Any) -> Any:
        return client.request("patch", path(row), body, HTTP_IF_MATCH='"other"')

    assert with_tag(anybody, {}).status_code == 401
    assert with_tag(ben, {}).status_code == 404
    assert errors_of(with_tag(ada, {"ammount": 1})) == [("#/ammount", "unknown")]


def test_staff_who_see_names_masked_have_a_tag_of_their_own(
    ada: ApiClient, staff: ApiClient, clerk: ApiClient, row: Transaction
) -> None:
    clear, opened, masked = (tag(client, row) for client in (ada, staff, clerk))

    assert clear == opened != masked
    # Otherwise a tag would reveal whether a guessed name is right.
    assert refused(change(clerk, "patch", row, clear))
    assert change(clerk, "patch", row, masked).status_code == 200


def test_to_compare_a_tag_opens_nothing(staff: ApiClient, row: Transaction) -> None:
    assert refused(change(staff, "patch", row, '"other"'))
    assert refused(change(staff, "delete", row, '"other"'))
    assert not AccessLogEntry.objects.exists()

    etag = tag(staff, row)
    assert AccessLogEntry.objects.count() == 1
    assert change(staff, "delete", row, etag).status_code == 204
    assert AccessLogEntry.objects.exclude(what__startswith="deletion").count() == 1


def test_who_records_for_another_gets_the_tag_of_what_they_may_read(
    clerk: ApiClient, ada: ApiClient
) -> None:
    clerk.grant("transactions.add_transaction")
    body = BODY | {"transaction_date": "2026-01-31", "user_id": ada.user_id, "full_name": "Ada"}

    created = clerk.post("/transactions", body)

    assert created.json()["full_name"] == "Ada"
    assert created.headers["ETag"] == clerk.get(created.headers["Location"]).headers["ETag"]


# --- concurrency ---------------------------------------------------------------------------------

together = pytest.mark.django_db(transaction=True)


@together
@pytest.mark.parametrize("method", ["put", "patch"])
def test_of_two_edits_with_one_tag_one_is_refused(
    ada: ApiClient, row: Transaction, method: str
) -> None:
    for n in range(40):
        etag = tag(ada, row)
        bodies = [BODY | {"description": f"{who} {n}"} for who in ("one", "other")]
        edit = partial(ada.request, method, path(row), HTTP_IF_MATCH=etag)

        answers = at_once(*(partial(edit, body=body) for body in bodies))

        assert sorted(answer.status_code for answer in answers) == [200, 412]
        done = next(answer for answer in answers if answer.status_code == 200)
        assert ada.get(path(row)).content == done.content
    assert Transaction.objects.get().version == 41
    assert_exact(User.objects.get(pk=ada.user_id))


@together
def test_of_an_edit_and_a_delete_with_one_tag_one_is_refused(ada: ApiClient) -> None:
    assert ada.user
    for _ in range(20):
        row = record(ada.user)
        etag = tag(ada, row)

        answers = at_once(
            partial(change, ada, "patch", row, etag), partial(change, ada, "delete", row, etag)
        )

        # An edit whose first look finds no row answers 404.
        assert [answer.status_code for answer in answers] in ([200, 412], [412, 204], [404, 204])
    assert_exact(User.objects.get(pk=ada.user_id))


Write = Callable[[Transaction], object]
WRITES: dict[str, Write] = {
    "an edit": lambda row: operations.amend(row=row, changes={"description": "Tea"}),
    "a delete": lambda row: operations.delete(row=row),
}


@together
@pytest.mark.parametrize("by", WRITES.values(), ids=WRITES)
@pytest.mark.parametrize("method", CHANGES)
def test_a_write_that_comes_between_the_look_and_the_change_is_kept(
    ada: ApiClient, row: Transaction, method: str, by: Write
) -> None:
    etag = tag(ada, row)

    late = overtaken(call=partial(change, ada, method, row, etag), by=partial(by, row))

    assert refused(late)
    assert {row.description for row in Transaction.objects.all()} <= {"Tea"}
    assert_exact(row.user)
