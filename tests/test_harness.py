"""What makes the suite quick is at work, and changes nothing that a test sees."""

import gc
import os
import subprocess
import sys

import pytest
from django.apps import apps
from django.contrib.staticfiles import finders
from django.test import Client, TransactionTestCase, override_settings

from tests.client import ApiClient
from tests.database import as_migrated
from tests.factories import record

ASSET = "admin/css/base.css"


def test_processes_find_the_bytecode_that_others_have_made() -> None:
    told = "import sys; print(sys.dont_write_bytecode, sys.pycache_prefix)"

    said = subprocess.check_output([sys.executable, "-c", told], env=os.environ, text=True)

    assert said.split() == ["False", str(sys.pycache_prefix)]


def test_the_collector_is_at_work_but_leaves_alone_what_stays() -> None:
    assert gc.isenabled()
    assert gc.get_freeze_count() > 10_000


def test_each_client_is_served_assets_with_the_headers_of_its_own_settings() -> None:
    path = finders.find(ASSET)
    assert isinstance(path, str)
    for seconds in (60, 5, 60):
        with override_settings(WHITENOISE_MAX_AGE=seconds):
            answer = Client().get(f"/static/{ASSET}")

        with open(path, "rb") as file:
            assert b"".join(answer) == file.read()
        assert answer.headers["Cache-Control"] == f"max-age={seconds}, public"


def test_an_asset_that_is_none_is_not_found() -> None:
    assert Client().get(f"/static/{ASSET}.old").status_code == 404


def rows() -> dict[str, int]:
    models = apps.get_models(include_auto_created=True)
    return {model._meta.db_table: model._default_manager.count() for model in models}


@pytest.mark.django_db(transaction=True)
def test_what_a_test_has_committed_is_gone_after_it(ada: ApiClient) -> None:
    as_migrated(TransactionTestCase())
    migrated = rows()
    ada.user.save(force_insert=True)  # type: ignore[union-attr]
    record(ada.user)  # type: ignore[arg-type]
    assert rows() != migrated

    as_migrated(TransactionTestCase())

    assert rows() == migrated
    assert migrated["accounts_user"] == 0
    assert migrated["auth_permission"] > 0
