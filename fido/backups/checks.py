"""What a restore would need, and whether it is there."""

import base64
import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from fido.backups.dump import Contents

# A dump that has shrunk so far lacks something, or somebody has deleted a lot.
SMALLEST_SHARE = 0.5
# Whatever holds a key is smaller.
MAX_KEY_FILE_BYTES = 64 * 1024
RINGS = ("FERNET_KEYS", "BLIND_INDEX_KEYS")


class Finding(NamedTuple):
    """`state` is ok, note (something to know) or MISSING (without it there is no restore)."""

    state: str
    says: str


def ok(says: str) -> Finding:
    return Finding("ok", says)


def note(says: str) -> Finding:
    return Finding("note", says)


def missing(says: str) -> Finding:
    return Finding("MISSING", says)


def dumps_in(place: Path) -> list[Path]:
    """The file itself, or the folder's dumps, newest first."""
    if place.is_file():
        return [place]
    found = [path for path in place.glob("*.dump") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)


def file(dumps: list[Path], max_age_hours: float) -> Iterator[Finding]:
    newest = dumps[0].stat()
    hours = (time.time() - newest.st_mtime) / 3600
    says = f"{dumps[0]} is {hours:,.1f} hours old and has {newest.st_size:,} bytes."
    if hours > max_age_hours:
        yield missing(f"{says} No dump is newer than {max_age_hours:g} hours.")
    else:
        yield ok(says)
    for before in dumps[1:2]:
        size = before.stat().st_size
        if newest.st_size < SMALLEST_SHARE * size:
            yield missing(f"It is less than half as large as {before.name}, with {size:,} bytes.")


def contents(found: Contents) -> Iterator[Finding]:
    if not found.is_whole:
        yield missing("The dump is truncated: its end is not there.")
        return
    yield ok(f"It can be read to its end: {len(found.rows)} tables, {found.rows.total():,} rows.")
    if not found.migrations:
        yield missing("It does not hold Fido's data: there is not a migration in it.")
        return
    loader = MigrationLoader(None)
    ours = set(loader.graph.nodes)
    if unknown := found.migrations - ours:
        yield missing(f"It is of newer code, with migrations unknown here: {_listed(unknown)}.")
    if later := ours - found.migrations:
        yield note(f"Run migrate after the restore; it lacks {_listed(later)}.")
    if lost := _tables(loader, found.migrations & ours) - found.rows.keys():
        yield missing(f"It has no data of these tables: {', '.join(sorted(lost))}.")


def _tables(loader: MigrationLoader, migrations: Iterable[tuple[str, str]]) -> set[str]:
    """Those that there are after these migrations."""
    models = loader.project_state(list(migrations)).apps.get_models(include_auto_created=True)
    return {model._meta.db_table for model in models if model._meta.managed}


def _listed(migrations: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{app}.{name}" for app, name in sorted(migrations))


def keys_open_it(found: Contents) -> Iterator[Finding]:
    tried = sum(each.tried for each in found.secrets.values())
    for column, each in found.secrets.items():
        if each.unreadable:
            yield missing(
                f"FERNET_KEYS of this installation cannot read {each.unreadable:,} of the "
                f"{each.tried:,} values tried of {column}. Find the keys that made this dump."
            )
        if each.unfindable:
            yield missing(
                f"BLIND_INDEX_KEYS of this installation cannot find {each.unfindable:,} of the "
                f"{each.tried:,} values tried of {column}. Find the keys that made this dump."
            )
    if tried and not any(each.unreadable or each.unfindable for each in found.secrets.values()):
        yield ok(f"The keys of this installation read all of {tried:,} encrypted values tried.")
    elif not tried:
        yield note("It holds nothing encrypted, so the keys could not be tried.")


def keys_are_apart(folder: Path) -> Iterator[Finding]:
    """Who has a dump and the keys can read every name."""
    for path in sorted(folder.iterdir()):
        if _holds_a_key(path):
            yield missing(f"{path} holds a key, beside the dump. Keep them on different machines.")
    for name in RINGS:
        given = os.environ.get(f"{name}_FILE", "").strip()
        if not given:
            yield note(f"{name} is in the environment: keep a copy of it, but not with the dumps.")
        elif Path(given).stat().st_dev == folder.stat().st_dev:
            yield note(f"{given} is on the same disk as the dumps: copy each to another place.")
        else:
            yield ok(f"{given} is not on the disk of the dumps. Is there a copy of it?")


def _holds_a_key(path: Path) -> bool:
    try:
        if not path.is_file() or path.stat().st_size > MAX_KEY_FILE_BYTES:
            return False
        text = path.read_text(errors="replace")
    except OSError:
        return False
    return any(word in text for word in _words_of_keys())


def _words_of_keys() -> Iterator[str]:
    yield from settings.FERNET_KEYS
    for key in settings.BLIND_INDEX_KEYS:
        # The settings have its bytes, and either alphabet may have been used.
        for encode in (base64.urlsafe_b64encode, base64.standard_b64encode):
            yield encode(key).decode().rstrip("=")


def archiving(cursor: Any) -> Iterator[Finding]:
    """Whether PostgreSQL keeps its WAL, for a restore to any moment."""
    cursor.execute(
        "SELECT current_setting('archive_mode'), archived_count, last_archived_time, "
        "last_failed_wal, last_failed_time FROM pg_stat_archiver"
    )
    mode, archived, last, failed_file, failed = cursor.fetchone()
    if mode == "off":
        yield note("WAL archiving is off: what was written after the dump would be lost.")
    elif failed and (last is None or failed > last):
        yield missing(
            f"WAL archiving fails: {failed_file}, {_minute(failed)}. See archive_command."
        )
    elif not archived:
        yield note("WAL archiving is on, and has archived nothing yet.")
    else:
        yield ok(f"WAL archiving works; the last file was archived {_minute(last)}.")


def roles(found: Contents, cursor: Any) -> Iterator[Finding]:
    cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [sorted(found.roles)])
    gone = found.roles - {name for (name,) in cursor.fetchall()}
    if gone:
        yield missing(f"The dump needs roles that this server does not have: {_names(gone)}.")
    elif found.roles:
        yield note(f"A new server needs these roles before the restore: {_names(found.roles)}.")


def _names(roles: Iterable[str]) -> str:
    return ", ".join(sorted(roles))


def _minute(moment: datetime) -> str:
    return f"on {moment:%Y-%m-%d at %H:%M} UTC"
