"""Refuses migrations that would lock a table for long, or break the release that still runs.

docs/adr/0027-migrations.md says what a migration must look like. squawk reads each one's SQL; what
it cannot see in SQL, a function that runs in the transaction of a change of the schema, is found
here. squawk is a tool of development (requirements-dev.txt).
"""

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlparse
from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations import Migration, RunPython, SeparateDatabaseAndState
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation

# What is quick depends on the version: this is the oldest one that Fido runs on.
POSTGRESQL = "15"
# `manage.py migrate` has a lock timeout, and lifts the statement's on purpose; Django records what
# it has done; which type a column has is a matter of taste.
NOT_OUR_RULES = (
    "require-lock-timeout",
    "require-statement-timeout",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-timestamptz",
    "ban-char-field",
)
ROWS_AND_SCHEMA = "rows-and-schema-in-one-transaction"
CHANGES_ROWS = {"INSERT", "UPDATE", "DELETE", "MERGE"}
CHANGES_SCHEMA = {"CREATE", "ALTER", "DROP"}


@dataclass(frozen=True)
class Fault:
    rule: str
    says: str


class Command(BaseCommand):
    help = (
        "Refuses migrations of this project that would lock a table for long, or take away what "
        "the release before still uses."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        loader = MigrationLoader(connection)
        ours = [each for each in loader.graph.nodes if _is_ours(each[0])]
        refused = [line for each in sorted(ours) for line in _lines(loader, *each)]
        for line in refused:
            self.stderr.write(line)
        if refused:
            raise CommandError(
                f"{len(refused)} faults in migrations: docs/adr/0027-migrations.md says what to do."
            )
        self.stdout.write(f"{len(ours)} migrations lock no table for long.")


def _is_ours(label: str) -> bool:
    # Not those of installed packages: a virtual environment may be inside of the project.
    path = Path(apps.get_app_config(label).path)
    return path.is_relative_to(settings.BASE_DIR) and "site-packages" not in path.parts


def _lines(loader: MigrationLoader, label: str, name: str) -> Iterator[str]:
    migration = loader.graph.nodes[label, name]
    # In the migration itself: the rules that it may break, each with its reason.
    accepted: dict[str, str] = getattr(migration, "accepted", {})
    found = list(_faults(loader, migration))
    for fault in found:
        if not accepted.get(fault.rule):
            yield f"{label}.{name}: {fault.rule}: {fault.says}"
    for rule in accepted.keys() - {fault.rule for fault in found}:
        yield f"{label}.{name}: it accepts {rule}, which it does not break"


def _faults(loader: MigrationLoader, migration: Migration) -> Iterator[Fault]:
    # As `sqlmigrate` does it. The stubs do not know it.
    statements: list[str] = loader.collect_sql([(migration, False)])  # type: ignore[attr-defined]
    yield from _faults_of_sql("\n".join(statements), in_transaction=migration.atomic)
    kinds = {sqlparse.parse(each)[0].get_type() for each in statements if each.strip()}
    runs = any(isinstance(each, RunPython) for each in _steps(migration.operations))
    if migration.atomic and (runs or kinds & CHANGES_ROWS) and kinds & CHANGES_SCHEMA:
        yield Fault(
            ROWS_AND_SCHEMA,
            "It changes rows while it holds the locks of a change of the schema. "
            "Make them two migrations.",
        )


def _steps(operations: Sequence[Operation]) -> Iterator[Operation]:
    for each in operations:
        yield each
        if isinstance(each, SeparateDatabaseAndState):
            yield from _steps(each.database_operations)


def _faults_of_sql(sql: str, *, in_transaction: bool) -> Iterator[Fault]:
    command = [_squawk(), "--reporter=json", f"--pg-version={POSTGRESQL}"]
    command += [f"--exclude={rule}" for rule in NOT_OUR_RULES]
    command += ["--assume-in-transaction"] if in_transaction else []
    done = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode not in {0, 1}:
        raise CommandError(f"squawk failed: {done.stderr}")
    for each in json.loads(done.stdout):
        statement = sql.splitlines()[each["line"]]
        says = " ".join(filter(None, (each["message"], each["help"], f"In: {statement}")))
        yield Fault(each["rule_name"], says)


def _squawk() -> str:
    # Beside this interpreter, because nobody has to activate the virtual environment.
    path = shutil.which("squawk", path=sysconfig.get_path("scripts")) or shutil.which("squawk")
    if path is None:
        raise CommandError("squawk is missing: install requirements-dev.txt.")
    return path
