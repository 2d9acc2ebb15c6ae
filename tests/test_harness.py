"""What makes the suite quick is at work, and changes nothing that a test sees."""

import gc
import os
import subprocess
import sys

from django.contrib.staticfiles import finders
from django.test import Client, override_settings

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
