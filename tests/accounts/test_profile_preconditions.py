"""ETag, If-None-Match and If-Match on profiles."""

from functools import partial
from typing import Any

import pytest

from accounts import operations
from accounts.models import AccessLogEntry, User
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.races import at_once, overtaken

pytestmark = pytest.mark.django_db


def tag(client: ApiClient, path: str = "/users/me") -> str:
    return str(client.get(path).headers["ETag"])


def change(client: ApiClient, body: Any, if_match: str) -> Any:
    return client.request("patch", "/users/me", body, HTTP_IF_MATCH=if_match)


def user_of(client: ApiClient) -> User:
    return User.objects.get(pk=client.user_id)


def test_a_profile_that_the_client_has_is_not_sent_again(ada: ApiClient) -> None:
    for path in ("/users/me", f"/users/{ada.user_id}"):
        etag = tag(ada, path)
        answer = ada.request("get", path, HTTP_IF_NONE_MATCH=etag)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", etag)
        assert answer.headers["Cache-Control"] == "private, no-cache"
    changed = ada.patch("/users/me", {"full_name": "Ada King"})
    answer = ada.request("get", "/users/me", HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, answer.headers["ETag"]) == (200, changed.headers["ETag"])
    assert answer.headers["ETag"] != etag


def test_a_masked_profile_has_a_tag_of_its_own(ada: ApiClient, staff: ApiClient, db: None) -> None:
    clerk = ApiClient(UserFactory.create(username="clerk", is_staff=True))
    clerk.grant("accounts.view_user")
    path = f"/users/{ada.user_id}"

    assert tag(ada, path) == tag(staff, path) != tag(clerk, path)
    assert AccessLogEntry.objects.get().actor_id == staff.user_id


def test_a_change_of_what_was_seen_goes_through(ada: ApiClient) -> None:
    answer = change(ada, {"full_name": "Ada King"}, tag(ada))

    assert (answer.status_code, answer.json()["full_name"]) == (200, "Ada King")
    assert change(ada, {"currency": "EUR"}, "*").status_code == 200
    assert change(ada, {}, tag(ada)).status_code == 200


@pytest.mark.parametrize("body", [{"full_name": "Ada King"}, {"email": "ada@king.org"}, {}])
def test_a_state_that_has_passed_is_refused_and_nothing_changes(
    ada: ApiClient, body: dict[str, str]
) -> None:
    etag = tag(ada)
    ada.patch("/users/me", {"currency": "EUR"})
    before = User.objects.filter(pk=ada.user_id).values().get()

    answer = change(ada, body, etag)

    assert (answer.status_code, answer.json()["code"]) == (412, "precondition-failed")
    assert User.objects.filter(pk=ada.user_id).values().get() == before


together = pytest.mark.django_db(transaction=True)


@together
def test_of_two_changes_with_one_tag_one_is_refused(ada: ApiClient) -> None:
    for n in range(30):
        etag = tag(ada)
        bodies = [{"full_name": f"Ada {n}"}, {"currency": "EUR" if n % 2 else "USD"}]
        # The other request must be a change too.
        bodies[1] |= {"email": f"ada{n}@example.org"}

        answers = at_once(*(partial(change, ada, body, etag) for body in bodies))

        assert sorted(answer.status_code for answer in answers) == [200, 412]


@together
def test_a_change_that_comes_between_the_look_and_the_write_is_kept(ada: ApiClient) -> None:
    etag, user = tag(ada), user_of(ada)

    late = overtaken(
        call=partial(change, ada, {"full_name": "Ada King"}, etag),
        by=lambda: operations.update_profile(user=user, changes={"full_name": "Augusta"}),
    )

    assert late.status_code == 412
    assert user_of(ada).full_name == "Augusta"
