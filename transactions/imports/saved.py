"""Mappings that users keep under a name, and those that come with Fido."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from psycopg.errors import UniqueViolation

from fido.lib.values import clock
from fido.lib.values.errors import DomainError, InvalidInput, NotFound, PreconditionFailed
from transactions.imports.models import SavedMapping
from transactions.mappings.mapping import ColumnMapping, InvalidMapping, parsed
from transactions.mappings.shipped import shipped

MAX_SAVED = 100
# Part of paths.
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
NAME_RULE = "Small letters, digits, - and _."


class TooManyMappings(DomainError):
    code, title = "too-many-mappings", f"A user has at most {MAX_SAVED} mappings."


def named(user_id: int, name: str) -> ColumnMapping:
    """The user's mapping of this name, or the one that comes with Fido.

    Raises:
        InvalidInput: there is neither, or it is not valid any more.
    """
    row = SavedMapping.objects.filter(user_id=user_id, name=name).first()
    found = _still_valid(row) if row else shipped().get(name)
    if found is None:
        raise InvalidInput("mapping", "unknown-mapping", "There is no mapping of this name.")
    return found


def known(user_id: int) -> Iterator[ColumnMapping]:
    """All that a file's columns may be recognised by; the user's newest counts most.

    They are read when they are looked at: most files need none.
    """
    yield from shipped().values()
    yield from own(user_id).values()


def own(user_id: int) -> dict[str, ColumnMapping]:
    """The user's by name, without those that are no longer valid. The newest is the last."""
    rows = SavedMapping.objects.filter(user_id=user_id).order_by("updated_at", "id")
    return {row.name: found for row in rows if (found := _still_valid(row))}


def _still_valid(row: SavedMapping) -> ColumnMapping | None:
    """What was saved under other rules must not stop uploads that do not name it."""
    try:
        return parsed(row.mapping)
    except InvalidMapping:
        return None


def save(*, user_id: int, name: str, mapping: ColumnMapping) -> SavedMapping:
    """Keep the mapping under a name that the user has not given to another one.

    Raises:
        InvalidInput: the name is taken.
        TooManyMappings
    """
    if SavedMapping.objects.filter(user_id=user_id).count() >= MAX_SAVED:
        raise TooManyMappings()
    row = SavedMapping(user_id=user_id, name=name, mapping=mapping.as_json())
    with _refusing_taken():
        row.save(force_insert=True)
    return row


def replace(
    *, row: SavedMapping, name: str, mapping: ColumnMapping, if_unchanged: bool = False
) -> SavedMapping:
    """Put another mapping in its place, perhaps under another name.

    Raises:
        InvalidInput: the name is taken.
        NotFound: it was deleted meanwhile.
        PreconditionFailed: the change was conditional, and the row is no longer as it was read.
    """
    values: dict[str, Any] = {"name": name, "mapping": mapping.as_json()}
    rows = _still(row, if_unchanged)
    with _refusing_taken():
        if not rows.update(**values, updated_at=clock.now(), version=F("version") + 1):
            raise PreconditionFailed() if if_unchanged else NotFound()
    return SavedMapping.objects.get(user_id=row.user_id, id=row.pk)


def delete(*, row: SavedMapping, if_unchanged: bool = False) -> None:
    """Forget the mapping. Imports that it was used for keep their copy.

    Raises:
        NotFound, PreconditionFailed: as `replace` does.
    """
    if not _still(row, if_unchanged).delete()[0]:
        raise PreconditionFailed() if if_unchanged else NotFound()


def _still(row: SavedMapping, if_unchanged: bool) -> Any:
    rows = SavedMapping.objects.filter(user_id=row.user_id, id=row.pk)
    return rows.filter(version=row.version) if if_unchanged else rows


@contextmanager
def _refusing_taken() -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        if not isinstance(error.__cause__, UniqueViolation):
            raise
        raise InvalidInput("name", "taken", "You have a mapping of this name.") from None
