"""Real dumps of the tests' database, in a folder of their own."""

import subprocess
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from fido.embedded import postgres
from tests.factories import UserFactory
from tests.worker import url_of_test_database

Dump = Callable[..., Path]


@pytest.fixture(autouse=True)
def _programs(monkeypatch: pytest.MonkeyPatch) -> None:
    """`pg_restore` is installed."""
    monkeypatch.setenv("PATH", str(postgres.program("pg_restore").parent), prepend=":")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dumps").mkdir()
    return tmp_path / "dumps"


@pytest.fixture
def dump(folder: Path) -> Dump:
    """Makes one, with `pg_dump`'s own options, of a database with a user in it."""
    UserFactory.create(full_name="Zebulon Quixworth", email="zebulon@example.org")

    def make(*options: str, name: str = "fido.dump") -> Path:
        command = [str(postgres.program("pg_dump")), "--format=custom", *options]
        path = folder / name
        subprocess.run([*command, f"--file={path}", url_of_test_database()], check=True)
        return path

    return make


def as_sql(path: Path) -> bytes:
    command = [str(postgres.program("pg_restore")), "--file=-", str(path)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def checked(*arguments: object) -> str:
    """What the command says; its last line is the verdict."""
    said = StringIO()
    try:
        call_command("backup_check", *map(str, arguments), stdout=said)
    except CommandError as error:
        said.write(str(error))
    return said.getvalue()
