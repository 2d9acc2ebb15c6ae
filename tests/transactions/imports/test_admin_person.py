"""Whose file it is: picked by a search, or typed where there is none."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import User
from tests.factories import UserFactory
from tests.imports import csv
from tests.staff import Desk, clerk
from transactions.imports.models import Import

pytestmark = pytest.mark.django_db(transaction=True)
FORM = "imports/import/add/"
RECORD, VIEW_USERS = "transactions.add_transaction", "accounts.view_user"
ROWS = csv("2026-01-31,1.50,credit")


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def send(desk: Desk, content: bytes = ROWS, **fields: Any) -> Any:
    return desk.post(FORM, file=SimpleUploadedFile("rows.csv", content), **fields)


def test_whoever_may_view_users_may_search_and_the_plain_field_waits_for_no_script() -> None:
    page = clerk(RECORD, VIEW_USERS).text(FORM)

    plain, search = page.split('<template id="search">')
    assert re.search(r'<input type="text" name="user_id"', plain)
    select = re.search(r'<select name="picked"[^>]*>', search)
    assert select
    assert 'id="id_user_id"' in select[0]
    assert 'data-ajax--url="/admin/autocomplete/"' in select[0]
    assert "imports/person.js" in plain


def test_all_that_the_page_loads_is_of_this_host(root: Desk) -> None:
    loaded = re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]+)"', root.text(FORM))

    assert any("select2" in each for each in loaded)
    assert all(each.startswith("/static/") for each in loaded)


def test_without_the_right_to_view_users_the_field_is_plain_and_takes_no_pick(
    jane: User, folder: Path
) -> None:
    desk = clerk(RECORD)

    page = desk.text(FORM)
    refused = send(desk, picked=jane.pk)

    assert 'name="user_id"' in page
    assert "picked" not in page
    assert "person.js" not in page
    assert refused.status_code == 400
    assert "This field is required." in refused.content.decode()
    assert list(folder.iterdir()) == []
    assert send(desk, user_id="JANE").status_code == 302
    assert Import.objects.get().user == jane


def test_the_file_is_of_whoever_was_picked(root: Desk, jane: User) -> None:
    assert send(root, picked=jane.pk).status_code == 302

    assert Import.objects.get().user == jane


def test_a_pick_is_an_id_even_if_somebody_has_it_as_a_user_name(root: Desk, jane: User) -> None:
    UserFactory.create(username=str(jane.pk))
    assert send(root, user_id=jane.pk).status_code == 400

    assert send(root, picked=jane.pk).status_code == 302

    assert Import.objects.get().user == jane


def test_a_pick_stays_when_the_file_is_refused(root: Desk, jane: User) -> None:
    page = send(root, b"", picked=jane.pk).content.decode()

    assert "The file is empty." in page
    assert f'<option value="{jane.pk}" selected>jane ({jane.pk})</option>' in page


@pytest.mark.parametrize("pick", [0, 2**62, 2**63, 2**70, "jane", "\0"])
def test_an_unknown_pick_is_refused(root: Desk, jane: User, folder: Path, pick: Any) -> None:
    answer = send(root, picked=pick)

    assert answer.status_code == 400
    assert 'class="errorlist' in answer.content.decode()
    assert list(folder.iterdir()) == []
    assert not Import.objects.exists()
