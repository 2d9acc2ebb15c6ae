"""`manage.py backup_check` on real dumps, each of which lacks one thing."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from fido.lib.values.crypto.keys import new_fernet_key
from tests.fido.backups.conftest import Dump, as_sql, checked
from tests.fido.processes import PROJECT
from tests.key_rings import rotate
from tests.servers import operators_environment
from tests.worker import url_of_test_database

pytestmark = pytest.mark.django_db(transaction=True)
PASSES = "Nothing is missing for a restore."


@contextmanager
def executed(statement: str, undo: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        try:
            yield
        finally:
            cursor.execute(undo)


class TestTheFile:
    def test_a_good_dump_passes(self, folder: Path, dump: Dump) -> None:
        dump()
        said = checked(folder)
        assert PASSES in said
        assert "read all of 2 encrypted values" in said

    def test_there_has_to_be_one(self, folder: Path) -> None:
        assert f"MISSING  There is no dump at {folder}." in checked(folder)

    def test_it_must_not_be_old(self, dump: Dump) -> None:
        path = dump()
        made = time.time() - 27 * 3600
        os.utime(path, (made, made))
        assert "No dump is newer than 26 hours." in checked(path)
        assert PASSES in checked(path, "--max-age-hours=28")

    def test_the_newest_one_counts(self, folder: Path, dump: Dump) -> None:
        dump("--schema-only", name="z.dump")
        os.utime(folder / "z.dump", (1.0, 1.0))
        dump(name="a.dump")
        assert PASSES in checked(folder)

    def test_it_must_not_be_much_smaller_than_the_one_before(
        self, folder: Path, dump: Dump
    ) -> None:
        path = dump(name="b.dump")
        (folder / "a.dump").write_bytes(3 * path.read_bytes())
        os.utime(folder / "a.dump", (1.0, 1.0))
        assert "less than half as large as a.dump" in checked(folder)

    def test_a_truncated_one_is_refused(self, dump: Dump) -> None:
        path = dump()
        path.write_bytes(path.read_bytes()[:-2000])
        assert "MISSING  The dump cannot be read: pg_restore: error: " in checked(path)

    def test_a_file_that_is_no_dump_is_refused(self, folder: Path) -> None:
        (folder / "a.dump").write_bytes(b"")
        assert "MISSING  The dump cannot be read: pg_restore: error: " in checked(folder)

    def test_pg_restore_has_to_be_there(self, dump: Dump, monkeypatch: pytest.MonkeyPatch) -> None:
        path = dump()
        monkeypatch.setenv("PATH", "")
        assert "MISSING  The dump cannot be read: pg_restore is not installed" in checked(path)


class TestSql:
    def test_it_stands_for_the_dump(
        self, folder: Path, dump: Dump, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (folder / "sql").write_bytes(as_sql(dump()))
        monkeypatch.setenv("PATH", "")
        assert PASSES in checked(folder, f"--sql={folder / 'sql'}")

    def test_it_has_to_be_whole(self, folder: Path, dump: Dump) -> None:
        (folder / "sql").write_bytes(as_sql(dump())[:-1000])
        said = checked(folder, f"--sql={folder / 'sql'}")
        assert "MISSING  The dump is truncated" in said

    def test_it_comes_through_a_pipe_and_the_status_tells(self, folder: Path, dump: Dump) -> None:
        sql = as_sql(dump())
        command = [sys.executable, "manage.py", "backup_check", str(folder), "--sql=-"]
        environment = operators_environment(DATABASE_URL=url_of_test_database())

        whole, part = (
            subprocess.run(
                command, cwd=PROJECT, env=environment, input=given, capture_output=True, check=False
            )
            for given in (sql, sql[:-1000])
        )

        assert (whole.returncode, part.returncode) == (0, 1), whole.stdout + part.stdout
        assert b"1 missing for a restore" in part.stderr


class TestTheContents:
    def test_a_dump_without_data_is_refused(self, dump: Dump) -> None:
        said = checked(dump("--schema-only"))
        assert "MISSING  It does not hold Fido's data" in said

    def test_a_dump_without_a_tables_data_is_refused(self, dump: Dump) -> None:
        said = checked(dump("--exclude-table-data=wallets_balance"))
        assert "MISSING  It has no data of these tables: wallets_balance." in said

    def test_a_dump_of_newer_code_is_refused(self, dump: Dump) -> None:
        with executed(
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('transactions', '0999_later', now())",
            "DELETE FROM django_migrations WHERE name = '0999_later'",
        ):
            path = dump()
        assert "migrations unknown here: transactions.0999_later." in checked(path)

    def test_a_dump_of_before_a_migration_passes(self, dump: Dump) -> None:
        with executed(
            "DELETE FROM django_migrations WHERE app = 'checks'",
            "INSERT INTO django_migrations (app, name, applied)"
            " VALUES ('checks', '0001_initial', now())",
        ):
            path = dump("--exclude-table-data=checks_*")
        said = checked(path)
        assert "note     Run migrate after the restore; it lacks checks.0001_initial." in said
        assert PASSES in said

    def test_roles_are_named(self, dump: Dump) -> None:
        undo = "DROP OWNED BY backup_reader; DROP ROLE backup_reader"
        with executed(
            "CREATE ROLE backup_reader; GRANT SELECT ON accounts_user TO backup_reader", undo
        ):
            path = dump()
            assert "needs these roles before the restore: backup_reader, fido." in checked(path)
        assert "MISSING  The dump needs roles that this server does not have: backup_reader." in (
            checked(path)
        )


class TestTheKeys:
    def test_another_key_cannot_read_it(self, dump: Dump, settings: Any) -> None:
        path = dump()
        settings.FERNET_KEYS = [new_fernet_key()]
        said = checked(path)
        assert "cannot read 1 of the 1 values tried of accounts.User.full_name." in said

    def test_another_index_key_cannot_find_it(self, dump: Dump, settings: Any) -> None:
        path = dump()
        settings.BLIND_INDEX_KEYS = [b"x" * 32]
        said = checked(path)
        assert "cannot find 1 of the 1 values tried of accounts.User.email." in said

    def test_a_retired_key_reads_it(self, dump: Dump, settings: Any) -> None:
        path = dump()
        rotate(settings)
        assert PASSES in checked(path)

    @pytest.mark.parametrize("ring", ["FERNET_KEYS", "BLIND_INDEX_KEYS"])
    def test_a_key_beside_the_dump_is_found(self, folder: Path, dump: Dump, ring: str) -> None:
        path = dump()
        (folder / "env.bak").write_text(f"A=1\n{ring}={os.environ[ring]}\n")
        said = checked(path)
        assert f"MISSING  {folder / 'env.bak'} holds a key, beside the dump." in said

    def test_keys_on_the_disk_of_the_dumps_are_noted(
        self, tmp_path: Path, dump: Dump, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = dump()
        (tmp_path / "keys").touch()
        monkeypatch.setenv("FERNET_KEYS_FILE", str(tmp_path / "keys"))
        said = checked(path)
        assert f"note     {tmp_path / 'keys'} is on the same disk as the dumps" in said
        assert "note     BLIND_INDEX_KEYS is in the environment" in said
