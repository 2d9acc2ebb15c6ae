"""Says what a restore would lack. docs/backup.md tells how to run it each night."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, connection

from fido.backups import checks, dump
from fido.backups.checks import Finding


class Command(BaseCommand):
    help = (
        "Reads the newest dump to its end, tries this installation's keys on it, and looks at WAL "
        "archiving. Exits with status 1 if anything is missing for a restore."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("place", type=Path, help="a dump, or a folder with NAME.dump files")
        parser.add_argument(
            "--max-age-hours", type=float, default=26, help="how old the newest may be (26)"
        )
        parser.add_argument(
            "--sql",
            metavar="FILE",
            help="what `pg_restore --file=-` makes of the newest dump, or - for standard input: "
            "for machines without pg_restore",
        )

    def handle(
        self, *args: Any, place: Path, max_age_hours: float, sql: str | None, **options: Any
    ) -> None:
        lacks = 0
        for finding in _findings(place, max_age_hours, sql):
            self.stdout.write(f"{finding.state:8} {finding.says}")
            lacks += finding.state == "MISSING"
        if lacks:
            raise CommandError(f"{lacks} missing for a restore: see above, and docs/backup.md.")
        self.stdout.write("Nothing is missing for a restore.")


def _findings(place: Path, max_age_hours: float, sql: str | None) -> Iterator[Finding]:
    dumps = checks.dumps_in(place)
    found = None
    if dumps:
        yield from checks.file(dumps, max_age_hours)
        yield from checks.keys_are_apart(dumps[0].parent)
        try:
            found = _read(dumps[0], sql)
        except (dump.CannotOpen, OSError) as error:
            yield checks.missing(f"The dump cannot be read: {error}.")
    else:
        yield checks.missing(f"There is no dump at {place}.")
    if found:
        yield from checks.contents(found)
        yield from checks.keys_open_it(found)
    try:
        with connection.cursor() as cursor:
            yield from checks.archiving(cursor)
            if found:
                yield from checks.roles(found, cursor)
    except DatabaseError:
        yield checks.note("PostgreSQL does not answer: WAL archiving was not looked at.")


def _read(newest: Path, sql: str | None) -> dump.Contents:
    if sql is None:
        with dump.opened(newest) as file:
            return dump.contents_of(file)
    if sql == "-":
        return dump.contents_of(sys.stdin.buffer)
    with Path(sql).open("rb") as given:
        return dump.contents_of(given)
