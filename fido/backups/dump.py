"""Reads a dump as SQL, in one pass, to its end."""

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from cryptography.fernet import InvalidToken

from fido.lib.values.crypto.keys import fernet_ring
from fido.lib.values.crypto.reencryption import EncryptedColumn, encrypted_columns

# Of each encrypted column, these are decrypted. All of them would take hours for a large table.
FIRST, THEN_EACH = 1_000, 101

COPY = re.compile(rb"COPY (?:\w+\.)?(\w+) \(([^)]*)\) FROM stdin;")
ROLE = re.compile(rb'(?:ALTER .* OWNER|GRANT .*) TO "?([^";]+)"?(?: WITH GRANT OPTION)?;')
END_OF_TABLE, END = b"\\.\n", b"-- PostgreSQL database dump complete"
NULL = b"\\N"

Row = list[bytes]


class CannotOpen(Exception):
    """pg_restore is not installed, or refused the dump."""


@dataclass
class Secrets:
    """What the keys make of an encrypted column's sample."""

    tried: int = 0
    unreadable: int = 0
    # Readable, but a search would not find them.
    unfindable: int = 0


@dataclass
class Contents:
    is_whole: bool = False
    # Of each table with data, also of an empty one.
    rows: Counter[str] = field(default_factory=Counter)
    migrations: set[tuple[str, str]] = field(default_factory=set)
    secrets: dict[str, Secrets] = field(default_factory=dict)
    # Owners, and those who have rights: a dump does not create them.
    roles: set[str] = field(default_factory=set)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """The dump as SQL.

    Raises:
        CannotOpen: pg_restore is missing, or has failed, at the end too: the dump may be truncated.
    """
    program = shutil.which("pg_restore")
    if program is None:
        raise CannotOpen("pg_restore is not installed here; see --sql")
    command = [program, "--file=-", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:  # noqa: S603
        assert process.stdout
        assert process.stderr
        yield process.stdout
        # A few lines at most: it stops at the first error.
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise CannotOpen(complaint)


def contents_of(sql: Iterable[bytes]) -> Contents:
    found, lines = Contents(), iter(sql)
    for line in lines:
        if copied := COPY.match(line):
            _read_table(found, lines, copied[1].decode(), _names(copied[2]))
        elif role := ROLE.match(line):
            found.roles.add(role[1].decode())
        elif line.startswith(END):
            found.is_whole = True
    found.roles.discard("PUBLIC")
    return found


def _names(columns: bytes) -> list[str]:
    return [name.strip('"') for name in columns.decode().split(", ")]


def _read_table(found: Contents, lines: Iterator[bytes], table: str, columns: list[str]) -> None:
    readers = list(_readers(found, table, columns))
    number = 0
    for line in lines:
        if line == END_OF_TABLE:
            break
        number += 1
        if readers and (table == MIGRATIONS or number <= FIRST or number % THEN_EACH == 0):
            row = line.rstrip(b"\n").split(b"\t")
            for read in readers:
                read(row)
    found.rows[table] += number


MIGRATIONS = "django_migrations"


def _readers(found: Contents, table: str, columns: list[str]) -> Iterator[Callable[[Row], None]]:
    """What to do with rows of this table."""
    if table == MIGRATIONS:
        app, name = columns.index("app"), columns.index("name")
        yield lambda row: found.migrations.add((row[app].decode(), row[name].decode()))
    for column in encrypted_columns():
        if column.model._meta.db_table == table and column.field.column in columns:
            yield _reader_of_secrets(found, column, columns)


def _reader_of_secrets(
    found: Contents, column: EncryptedColumn, columns: list[str]
) -> Callable[[Row], None]:
    secrets = found.secrets.setdefault(str(column), Secrets())
    token = columns.index(column.field.column)
    digest = columns.index(column.index.column) if column.index else None

    def read(row: Row) -> None:
        if row[token] != NULL:
            _try_keys(secrets, column, row[token], NULL if digest is None else row[digest])

    return read


def _try_keys(secrets: Secrets, column: EncryptedColumn, token: bytes, digest: bytes) -> None:
    secrets.tried += 1
    try:
        value = fernet_ring().decrypt(_bytea(token)).decode()
    except (InvalidToken, UnicodeDecodeError):
        secrets.unreadable += 1
        return
    if column.index and digest != NULL and _bytea(digest) not in column.index.digests(value):
        secrets.unfindable += 1


def _bytea(text: bytes) -> bytes:
    """In a dump, two backslashes, an x, and hexadecimal digits."""
    return bytes.fromhex(text[3:].decode())
