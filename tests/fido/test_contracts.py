"""The import rules refuse what they are there to refuse: each is broken once, in a copy."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fido.processes import PROJECT

PACKAGES = ("fido", "accounts", "transactions", "analytics")
LINT = "from importlinter.cli import lint_imports_command as main; main()"
# What somebody writes, into which file, and the rule that it breaks.
BREACHES = {
    "the domain imports REST framework": (
        "transactions/operations.py",
        "import rest_framework",
        "The domain does not know HTTP",
    ),
    "the domain does through a lower module": (
        "fido/lib/values/clock.py",
        "import rest_framework",
        "The domain does not know HTTP",
    ),
    "a new module of the domain does": (
        "accounts/wallets/brand_new.py",
        "import rest_framework",
        "The domain does not know HTTP",
    ),
    "the domain imports the API's layer": (
        "analytics/breakdown.py",
        "import fido.lib.api.problems",
        "The domain does not know HTTP",
    ),
    "the domain imports another app's entry point": (
        "analytics/queries.py",
        "import transactions.api.rights",
        "Only entry points import entry points",
    ),
    "a layer imports upwards": (
        "fido/lib/values/money.py",
        "import fido.lib.cache.jobs",
        "fido.lib has layers",
    ),
    "a new package of the library names no layer": (
        "fido/lib/attic/__init__.py",
        "",
        "fido.lib has layers",
    ),
    "the library imports the project": (
        "fido/lib/api/throttling.py",
        "import fido.env",
        "fido.lib imports nothing outside itself",
    ),
    "an app imports a higher one": (
        "accounts/queries.py",
        "import transactions.queries",
        "Apps import one way",
    ),
    "queries import operations": (
        "transactions/queries.py",
        "import transactions.operations",
        "Inside an app",
    ),
    "two modules import each other": (
        "analytics/headline.py",
        "import analytics.answers",
        "There are no import cycles",
    ),
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__", "templates", "shipped_tables")
        shutil.copytree(PROJECT / package, tmp_path / package, ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def linted(folder: Path) -> str:
    """What import-linter says of a copy, on one line."""
    command = [sys.executable, "-c", LINT, "--no-cache"]
    done = subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)
    return " ".join((done.stdout + done.stderr).split())


def test_the_rules_hold(copy: Path) -> None:
    assert " 0 broken." in linted(copy)


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_refused(copy: Path, breach: str) -> None:
    file, line, rule = BREACHES[breach]
    path = copy / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"{path.read_text() if path.exists() else ''}\n{line}\n")

    said = linted(copy)

    broken = said.partition("Broken contracts")[0]
    assert any(rule in name for name in _names_of_broken(broken)), said


def _names_of_broken(text: str) -> list[str]:
    """`Rule one KEPT Rule two BROKEN`: what stands before each BROKEN."""
    parts = text.split(" BROKEN")[:-1]
    return [part.rpartition(" KEPT ")[2] for part in parts]
