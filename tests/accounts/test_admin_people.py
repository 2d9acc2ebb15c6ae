"""The search for a person in a form: what it finds, for whom, and what it never finds."""

from typing import Any

import pytest

from accounts.models import AccessLogEntry, User
from tests.factories import StaffFactory, UserFactory
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
VIEW, CLEAR = "accounts.view_user", "accounts.view_personal_data"


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane", full_name="Ruth Roe", email="rr@mail.example")


def asked(desk: Desk, term: str, **others: Any) -> Any:
    question = {"app_label": "imports", "model_name": "import", "field_name": "user"}
    return desk.get("autocomplete/", **question, term=term, **others)


def found(desk: Desk, term: str) -> list[str]:
    return [each["text"] for each in asked(desk, term).json()["results"]]


def test_people_are_found_by_how_a_user_name_begins_and_by_id(jane: User) -> None:
    desk = clerk(VIEW)
    twin = UserFactory.create(username=f"{jane.pk}th")

    assert found(desk, "JA") == found(desk, " jane ") == [f"jane ({jane.pk})"]
    assert found(desk, str(jane.pk)) == [f"jane ({jane.pk})", f"{jane.pk}th ({twin.pk})"]
    assert found(desk, "ane") == found(desk, "%") == []
    assert asked(desk, "jane").json()["results"][0]["id"] == str(jane.pk)


@pytest.mark.parametrize("term", ["Ruth Roe", "ruth roe", "rr@mail.example", "Ruth"])
def test_nobody_is_found_by_a_name_or_an_address(jane: User, term: str) -> None:
    for desk in (clerk(VIEW, CLEAR), Desk(StaffFactory.create())):
        assert found(desk, term) == []
        assert "Ruth" not in asked(desk, "jane").content.decode()
    assert not AccessLogEntry.objects.exists()


def test_without_the_right_to_view_users_there_is_no_list_of_them(jane: User) -> None:
    desk = clerk("transactions.add_transaction", "imports.view_import", CLEAR)

    for term in ("", "jane", str(jane.pk)):
        answer = asked(desk, term)
        assert answer.status_code == 403
        assert b"jane" not in answer.content


def test_many_are_found_page_by_page(jane: User) -> None:
    desk = clerk(VIEW)
    for number in range(25):
        UserFactory.create(username=f"many-{number}")

    pages = [asked(desk, "many", page=page).json() for page in (1, 2)]

    assert [len(page["results"]) for page in pages] == [20, 5]
    assert [page["pagination"]["more"] for page in pages] == [True, False]
