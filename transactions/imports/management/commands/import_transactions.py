"""Imports a file from the command line, like `POST /imports`, or undoes an import."""

import json
import sys
from argparse import ArgumentTypeError
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import User
from fido.lib.commands.progress import progress
from fido.lib.process.database import bound_transactions
from fido.lib.values import money
from fido.lib.values.errors import DomainError, InvalidInput
from fido.lib.values.ids import new_id
from fido.lib.values.strict_json import read_json
from transactions.imports import operations, running, saved
from transactions.imports.intake import Intake
from transactions.imports.models import Import
from transactions.imports.preview import preview
from transactions.imports.submission import Upload, submitted
from transactions.mappings.mapping import ColumnMapping, InvalidMapping, parsed
from transactions.statements.items import NotReadable

PIECE_BYTES = 1024 * 1024
SHOWN_ERRORS = 20


class Command(BaseCommand):
    help = (
        "Imports a file as transactions of one user. Refused rows are listed with "
        "their line numbers and make the command exit with status 1; the others are created. A "
        "worker continues an interrupted import, or this command does with --resume. With --undo "
        "it deletes what an import created, and lists what it leaves."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", nargs="?", type=Path)
        parser.add_argument(
            "--user",
            type=int,
            metavar="ID",
            help="the owner of the transactions; with --by-user, who records them",
        )
        parser.add_argument(
            "--by-user", action="store_true", help="each row names its owner, as user_id"
        )
        parser.add_argument(
            "--mapping", metavar="NAME|FILE", help="what the columns of a foreign CSV are"
        )
        parser.add_argument(
            "--dry-run", action="store_true", help="only tell what the import would do"
        )
        parser.add_argument("--resume", type=_uuid, metavar="IMPORT", help="the import to continue")
        parser.add_argument("--undo", type=_uuid, metavar="IMPORT", help="the import to undo")

    def handle(self, *args: Any, **options: Any) -> None:
        bound_transactions()
        match tuple(options[name] for name in ("file", "user", "resume", "undo")):
            case (Path() as file, int() as user_id, None, None):
                with _taken_in(file, user_id, options) as upload:
                    if options["dry_run"]:
                        self._preview(upload)
                        return
                    # Not queued, because a worker could claim it first.
                    row = submitted(upload, queued=False)
            case (None, None, UUID() as import_id, None):
                row = _found(import_id)
            case (None, None, None, UUID() as import_id):
                row = _undoing(import_id)
            case _:
                said = "Name a FILE and its --user, or an import to --resume or to --undo."
                raise CommandError(said)
        self._run(row)

    def _run(self, row: Import) -> None:
        claimed = operations.claim(user_id=row.user_id, import_id=row.pk)
        if claimed is None:
            raise CommandError(f"Import {row.pk} has ended, or a worker is running it.")
        try:
            with progress("Rows") as advance:
                if claimed.status == Import.Status.RUNNING:
                    advance(claimed.rows_read)
                running.run(claimed, must_stop=lambda: False, advance=advance)
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped. A worker will continue it, or use --resume {row.pk}."
            ) from None
        self._report(Import.objects.get(user_id=row.user_id, id=row.pk))

    def _preview(self, upload: Upload) -> None:
        owner, layout = upload.owner, upload.layout()
        found = preview(
            upload.intake.import_id, owner=owner, layout=layout, sender=owner, may_compare=True
        )
        self._tell([{"line": line, **asdict(fault)} for line, fault in found.errors])
        if layout.mapping:
            self.stdout.write(json.dumps(layout.mapping, ensure_ascii=False))
        for currency, moved in sorted(found.moved.items()):
            self.stdout.write(
                f"{currency}: {moved.count:,} rows, {money.text(moved.credit, currency)} credit, "
                f"{money.text(moved.debit, currency)} debit."
            )
        if layout.by_user:
            self.stdout.write(f"{len(found.users):,} users.")
        beginning = "" if found.is_whole else f" These are the first {found.rows_read:,} rows."
        self.stdout.write(
            f"Nothing was recorded. {found.rows_acceptable:,} rows would be created, "
            f"{found.rows_refused:,} refused, of which {len(found.recorded):,} are recorded "
            f"already.{beginning}"
        )

    def _tell(self, errors: list[dict[str, Any]]) -> None:
        for error in errors[:SHOWN_ERRORS]:
            column = f" {error['column']}:" if error["column"] else ""
            self.stderr.write(f"line {error['line']}:{column} {error['detail']}")

    def _report(self, row: Import) -> None:
        if row.status == Import.Status.UNDONE:
            self._report_undo(row)
            return
        self._tell(row.errors)
        for warning in row.warnings:
            self.stderr.write(warning["detail"])
        if row.rows_pending:
            self.stdout.write(f"{row.rows_pending:,} entries are not booked yet: left out.")
        self.stdout.write(
            f"Import {row.pk} is {row.status}: {row.rows_created:,} rows created, "
            f"{row.rows_refused:,} refused."
        )
        if row.failure:
            raise CommandError(f"The import failed: {row.failure_detail or row.failure}")
        if row.rows_refused:
            sys.exit(1)

    def _report_undo(self, row: Import) -> None:
        for each in row.kept[:SHOWN_ERRORS]:
            self.stderr.write(f"transaction {each['id']} was kept: {each['code']}")
        self.stdout.write(
            f"Import {row.pk} is {row.status}: {row.rows_undone:,} of {row.rows_created:,} rows"
            f" deleted, {row.rows_kept:,} kept."
        )
        if row.rows_kept:
            sys.exit(1)


@contextmanager
def _taken_in(file: Path, user_id: int, options: dict[str, Any]) -> Iterator[Upload]:
    owner = User.objects.filter(pk=user_id).first()
    if owner is None:
        raise CommandError(f"There is no user {user_id}.")
    try:
        with closing(Intake(new_id())) as intake:
            _feed(intake, file)
            mapping = _mapping(owner, options["mapping"])
            whose = {"owner": owner, "sender": owner, "by_user": options["by_user"]}
            yield Upload(intake=intake, mapping=mapping, **whose)
    except (OSError, DomainError, NotReadable) as refusal:
        raise CommandError(f"{file}: {_reason(refusal)}") from None


def _mapping(owner: User, given: str | None) -> ColumnMapping | None:
    if given is None:
        return None
    if not Path(given).is_file():
        try:
            return saved.named(owner.pk, given)
        except InvalidInput:
            raise CommandError(f"{given} is no file, and no mapping of the user's.") from None
    try:
        return parsed(read_json(Path(given).read_text("utf-8")))
    except (ValueError, RecursionError, ArithmeticError) as error:
        reason = error if isinstance(error, InvalidMapping) else "it is not JSON."
        raise CommandError(f"{given}: {reason}") from None


def _feed(intake: Intake, file: Path) -> None:
    with file.open("rb") as source, progress("Bytes", file.stat().st_size) as advance:
        while piece := source.read(PIECE_BYTES):
            intake.feed(piece)
            advance(len(piece))


def _undoing(import_id: UUID) -> Import:
    try:
        # Not queued, because a worker could claim it first.
        return operations.begin_undo(row=_found(import_id))
    except DomainError as refusal:
        raise CommandError(str(refusal)) from None


def _found(import_id: UUID) -> Import:
    row = Import.objects.filter(id=import_id).first()
    if row is None:
        raise CommandError(f"There is no import {import_id}.")
    return row


def _reason(refusal: OSError | DomainError | NotReadable) -> str:
    return str(refusal.strerror) if isinstance(refusal, OSError) else str(refusal)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise ArgumentTypeError("not an id") from None
