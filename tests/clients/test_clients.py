"""Both generated clients, which `make clients` makes, drive the whole tour on the real service."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests import webserver
from tests.alerts import add_default_rules
from tests.factories import PASSWORD, StaffFactory
from tests.fido.processes import PROJECT
from tests.races import DEADLINE_SECONDS
from tests.worker import running_worker

CLIENTS = PROJECT / "build" / "clients"
HERE = PROJECT / "tests" / "clients"
TOURS = {
    "python": [sys.executable, str(HERE / "tour.py")],
    "typescript": [str(PROJECT / ".venv" / "bin" / "node"), str(HERE / "tour.ts")],
}
pytestmark = pytest.mark.clients


@pytest.fixture
def api() -> Iterator[str]:
    StaffFactory.create(username="admin", password=PASSWORD)
    add_default_rules()
    with webserver.serving() as server, running_worker():
        yield f"http://127.0.0.1:{server.port}/api/v1"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", TOURS)
def test_a_client_drives_the_whole_tour(language: str, api: str) -> None:
    variables = {"PASSWORD": PASSWORD, "PYTHONPATH": str(CLIENTS / "python")}

    tour = subprocess.run(
        [*TOURS[language], api],
        check=False,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
    )

    assert (tour.returncode, tour.stdout) == (0, "The tour is done.\n"), tour.stdout


def test_the_python_client_is_small() -> None:
    files = list((CLIENTS / "python" / "fido_client").rglob("*.py"))

    assert 50 < len(files) < 120
