"""Saved mappings on the staff pages: seen and deleted with the permissions, and never changed."""

import pytest
from django.contrib.admin.models import DELETION, LogEntry

from accounts.models import User
from tests.staff import Desk, clerk
from tests.transactions.mappings.files import CARD
from transactions.imports import saved
from transactions.imports.models import SavedMapping
from transactions.mappings.mapping import parsed

pytestmark = pytest.mark.django_db
LIST = "imports/savedmapping/"
VIEW, DELETE = "imports.view_savedmapping", "imports.delete_savedmapping"


@pytest.fixture
def card(jane: User) -> SavedMapping:
    return saved.save(user_id=jane.pk, name="card", mapping=parsed(CARD | {"thousands": ""}))


def page_of(row: SavedMapping) -> str:
    return f"{LIST}{row.pk}/change/"


def test_they_are_listed_and_found_by_their_user(
    root: Desk, jane: User, card: SavedMapping
) -> None:
    others = saved.save(user_id=root.user.pk, name="other", mapping=parsed(CARD))
    desk = clerk(VIEW)

    assert list(desk.get(LIST).context["cl"].result_list) == [others, card]
    for term in ("JANE", str(jane.pk)):
        assert list(desk.get(LIST, q=term).context["cl"].result_list) == [card]


def test_a_record_tells_what_the_columns_are(card: SavedMapping) -> None:
    page = clerk(VIEW).text(page_of(card))

    assert "<tr><td>Description<td>full_name<td>" in page
    assert "thousands: none" in page
    assert "transaction_type: debit" in page
    assert 'name="_save"' not in page


def test_nobody_adds_or_changes_one_here(root: Desk, card: SavedMapping) -> None:
    assert root.get(f"{LIST}add/").status_code == 403
    assert root.post(page_of(card), name="other").status_code == 403
    assert SavedMapping.objects.get().name == "card"


@pytest.mark.parametrize("by", ["page", "action"])
def test_deleting_takes_its_permission_and_is_written_down(
    jane: User, card: SavedMapping, by: str
) -> None:
    viewer, deleter = clerk(VIEW), clerk(VIEW, DELETE)

    def delete(desk: Desk) -> int:
        if by == "page":
            return int(desk.post(f"{LIST}{card.pk}/delete/", post="yes").status_code)
        form = {"action": "delete_selected", "_selected_action": card.pk, "post": "yes"}
        return int(desk.post(LIST, **form).status_code)

    delete(viewer)
    assert SavedMapping.objects.exists()
    assert delete(deleter) == 302

    assert not SavedMapping.objects.exists()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag) == (deleter.user, DELETION)
    assert (entry.object_repr, entry.change_message) == ("card", f"Deleted for user {jane.pk}.")


def test_without_any_permission_there_is_nothing(jane: User, card: SavedMapping) -> None:
    desk = clerk("transactions.add_transaction", "imports.view_import")

    for page in (LIST, page_of(card), f"{LIST}{card.pk}/delete/"):
        assert desk.get(page).status_code == 403
