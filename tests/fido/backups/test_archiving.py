"""WAL archiving, on a PostgreSQL server that has it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from fido import embedded
from fido.backups import checks
from fido.embedded import postgres
from fido.embedded.state import POSTGRES
from tests.races import DEADLINE_SECONDS


@contextmanager
def archiving(monkeypatch: pytest.MonkeyPatch, mode: str, command: str) -> Iterator[psycopg.Cursor]:
    """A server of its own, because the mode cannot be changed while it runs."""
    settings = {"archive_mode": mode, "archive_command": command}
    monkeypatch.setattr(postgres, "SETTINGS", postgres.SETTINGS | settings)
    with TemporaryDirectory(prefix="fido-archiving-") as name:
        Path(name).chmod(0o711)
        with embedded.serving(Path(name), fast=True, own=True) as up:
            note = up.state.note()
            assert note
            login = f"fido:{up.state.secrets()[POSTGRES]}"
            url = f"postgres://{login}@127.0.0.1:{note.postgres_port}/fido"
            with psycopg.connect(url, autocommit=True) as connected:
                yield connected.cursor()


def found_after_a_wal_file(cursor: psycopg.Cursor, column: str) -> checks.Finding:
    cursor.execute("SELECT pg_logical_emit_message(true, 'fido', 'x'); SELECT pg_switch_wal()")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        cursor.execute(f"SELECT {column} FROM pg_stat_archiver")
        if cursor.fetchone() != (None,):
            break
        time.sleep(0.05)
    (finding,) = checks.archiving(cursor)
    return finding


def test_archiving_that_is_off_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    with archiving(monkeypatch, "off", "") as cursor:
        (finding,) = checks.archiving(cursor)
    assert finding == checks.note(
        "WAL archiving is off: what was written after the dump would be lost."
    )


def test_archiving_that_works_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    with archiving(monkeypatch, "on", "true") as cursor:
        finding = found_after_a_wal_file(cursor, "last_archived_time")
    assert finding.state == "ok"
    assert "WAL archiving works; the last file was archived on 20" in finding.says


def test_archiving_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with archiving(monkeypatch, "on", "false") as cursor:
        finding = found_after_a_wal_file(cursor, "last_failed_time")
    assert finding.state == "MISSING"
    assert "WAL archiving fails: 0000" in finding.says
