"""Both generated clients, which `make clients` makes, drive the whole tour on the real service."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import webserver
from tests.alerts import add_default_rules
from tests.document import operations
from tests.factories import PASSWORD, StaffFactory, UserFactory
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
    assert _output(*TOURS[language], api) == "The tour is done.\n"


@pytest.mark.django_db(transaction=True)
def test_the_example_of_the_docs_works(api: str, tmp_path: Path) -> None:
    UserFactory.create(username="jane", password=PASSWORD)
    page = (PROJECT / "docs" / "clients.md").read_text()
    example = page.partition("```python\n")[2].partition("```")[0]
    script = tmp_path / "example.py"
    script.write_text(example.replace("http://localhost:8000/api/v1", api))

    assert _output(sys.executable, str(script)).startswith("201 Transaction(")


def test_the_python_client_is_small() -> None:
    """An operation has a module, and shares its models with others."""
    files = list((CLIENTS / "python" / "fido_client").rglob("*.py"))

    assert 50 < len(files) < 2.7 * len(list(operations()))


def _output(*command: str) -> str:
    done = subprocess.run(
        command,
        check=False,
        env=os.environ | {"PASSWORD": PASSWORD, "PYTHONPATH": str(CLIENTS / "python")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
