"""`make check` refuses migrations that lock: each kind is planted once, after all others."""

import shutil
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

from tests.fido.processes import PROJECT

pytestmark = pytest.mark.django_db(transaction=True)

PLANTED = """
from django.contrib.postgres.operations import *
from django.db import migrations, models
from django.db.migrations import *
from django.db.models import *
from django.db.models.functions import *

def change(apps, schema_editor):
    apps.get_model("transactions", "Transaction").objects.update(category=None)

class Migration(migrations.Migration):
    {attributes}
    dependencies = [("transactions", "{last}")]
    operations = [{operations}]
"""
INDEX = "Index(fields=['user', 'created_at'], name='planted')"
POSITIVE = "CheckConstraint(condition=Q(transaction_amount__gt=0), name='planted')"
ADD = "AddField('transaction', 'planted', {})"
ALTER = "AlterField('transaction', 'category', {})"
NOT_EMPTY = "CheckConstraint(condition=Q(category__isnull=False), name='planted')"
SET_NOT_NULL = "RunSQL('ALTER TABLE transactions_transaction ALTER category SET NOT NULL')"
NULLABLE = ADD.format("TextField(null=True)")

# What somebody plants, and the rule that it breaks.
DANGEROUS = {
    "an index": (f"AddIndex('transaction', {INDEX})", "require-concurrent-index-creation"),
    "an index of a field": (
        ALTER.format("CharField(max_length=50, null=True, db_index=True)"),
        "require-concurrent-index-creation",
    ),
    "an index that goes": (
        "RemoveIndex('transaction', 'history_by_category')",
        "require-concurrent-index-deletion",
    ),
    "a check": (f"AddConstraint('transaction', {POSITIVE})", "constraint-missing-not-valid"),
    "a check that the same transaction validates": (
        f"AddConstraintNotValid('transaction', {POSITIVE}),"
        "ValidateConstraint('transaction', 'planted')",
        "constraint-missing-not-valid",
    ),
    "a unique constraint": (
        "AddConstraint('transaction', UniqueConstraint(fields=['category'], name='planted'))",
        "disallowed-unique-constraint",
    ),
    "a foreign key": (
        ADD.format("ForeignKey('accounts.User', CASCADE, null=True, db_index=False)"),
        "adding-foreign-key-constraint",
    ),
    "NOT NULL": (SET_NOT_NULL, "adding-not-nullable-field"),
    "NOT NULL, and a value for what has none": (
        ALTER.format("CharField(max_length=50, default='')"),
        "rows-and-schema-in-one-transaction",
    ),
    "another type": (ALTER.format("BigIntegerField(null=True)"), "changing-column-type"),
    "a volatile default": (
        ADD.format("FloatField(db_default=Random())"),
        "adding-field-with-default",
    ),
    "a generated column": (
        ADD.format(
            "GeneratedField(expression=F('version') + 1, "
            "output_field=BigIntegerField(), db_persist=True)"
        ),
        "adding-field-with-default",
    ),
    "a default that the release before does not send": (
        ADD.format("TextField(default='')"),
        "ban-drop-default",
    ),
    "a column that goes": ("RemoveField('transaction', 'category')", "ban-drop-column"),
    "a column with another name": (
        "RenameField('transaction', 'category', 'kind')",
        "renaming-column",
    ),
    "a table with another name": ("AlterModelTable('transaction', 'planted')", "renaming-table"),
    "a table that goes": ("DeleteModel('Transaction')", "ban-drop-table"),
    "rows beside a column": (
        f"{NULLABLE}, RunPython(change, RunPython.noop)",
        "rows-and-schema-in-one-transaction",
    ),
    "rows beside a column, hidden": (
        f"{NULLABLE}, SeparateDatabaseAndState([RunPython(change)])",
        "rows-and-schema-in-one-transaction",
    ),
    "rows beside a column, in SQL": (
        f"{NULLABLE}, RunSQL('UPDATE transactions_transaction SET planted = category')",
        "rows-and-schema-in-one-transaction",
    ),
}
# Each with what else the class says.
GOOD = {
    "a column": (NULLABLE, ""),
    "a column with a default that stays": (ADD.format("TextField(db_default='')"), ""),
    "an index": (f"AddIndexConcurrently('transaction', {INDEX})", "atomic = False"),
    "an index that goes": (
        "RemoveIndexConcurrently('transaction', 'history_by_category')",
        "atomic = False",
    ),
    "a unique index": (
        "RunSQL('CREATE UNIQUE INDEX CONCURRENTLY planted ON transactions_transaction (version)',"
        "state_operations=[AddConstraint('transaction', "
        "UniqueConstraint(fields=['version'], name='planted'))])",
        "atomic = False",
    ),
    "a foreign key, for new rows": (
        ADD.format(
            "ForeignKey('accounts.User', CASCADE, null=True, db_index=False, db_constraint=False)"
        )
        + ", RunSQL('ALTER TABLE transactions_transaction ADD CONSTRAINT planted "
        "FOREIGN KEY (planted_id) REFERENCES accounts_user (id) NOT VALID')",
        "",
    ),
    "a check, for new rows": (f"AddConstraintNotValid('transaction', {POSITIVE})", ""),
    "NOT NULL, once a check has been validated": (
        f"AddConstraintNotValid('transaction', {NOT_EMPTY}),"
        f"ValidateConstraint('transaction', 'planted'), {SET_NOT_NULL},"
        "RemoveConstraint('transaction', 'planted')",
        "atomic = False; accepted = {'ban-drop-constraint': 'NOT NULL says the same.'}",
    ),
    "rows alone": ("RunPython(change, RunPython.noop)", ""),
    "a table with all that it needs": (
        "CreateModel('Planted', [('id', BigAutoField(primary_key=True)),"
        "('user', ForeignKey('accounts.User', CASCADE)), ('of', TextField(unique=True))]),"
        "AddIndex('planted', Index(fields=['user', 'of'], name='planted')),"
        "AddConstraint('planted', CheckConstraint(condition=~Q(of=''), name='planted_of'))",
        "",
    ),
}


@pytest.fixture
def folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of an app's migrations, which Django reads instead."""
    name = f"planted_{uuid4().hex}"
    shutil.copytree(PROJECT / "transactions" / "migrations", tmp_path / name)
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {"transactions": name}
    return tmp_path / name


def checked(folder: Path, operations: str, attributes: str = "") -> str:
    """What the command says, on one line."""
    (last,) = (name for app, name in MigrationLoader(None).graph.leaf_nodes("transactions"))
    text = PLANTED.format(operations=operations, attributes=attributes, last=last)
    (folder / "9999_planted.py").write_text(text)
    said = StringIO()
    try:
        call_command("check_migrations", stdout=said, stderr=said)
    except CommandError as error:
        said.write(str(error))
    return said.getvalue()


def test_all_migrations_pass() -> None:
    said = StringIO()
    call_command("check_migrations", stdout=said)
    assert "no table for long" in said.getvalue()


@pytest.mark.parametrize("kind", DANGEROUS)
def test_a_migration_that_locks_is_refused(folder: Path, kind: str) -> None:
    operations, rule = DANGEROUS[kind]

    said = checked(folder, operations)

    assert f"transactions.9999_planted: {rule}: " in said
    assert "faults in migrations" in said


@pytest.mark.parametrize("kind", GOOD)
def test_a_migration_that_locks_nothing_passes(folder: Path, kind: str) -> None:
    said = checked(folder, *GOOD[kind])
    assert "no table for long" in said, said


def test_the_good_way_to_not_null_works(folder: Path) -> None:
    """PostgreSQL runs what the page recommends."""
    checked(folder, *GOOD["NOT NULL, once a check has been validated"])
    try:
        call_command("migrate", "transactions", verbosity=0)
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT attnotnull FROM pg_attribute WHERE attname = 'category'"
                " AND attrelid = 'transactions_transaction'::regclass"
            )
            assert cursor.fetchone() == (True,)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE transactions_transaction ALTER category DROP NOT NULL")
            cursor.execute("DELETE FROM django_migrations WHERE name = '9999_planted'")


def test_a_rule_may_be_broken_for_a_reason(folder: Path) -> None:
    accepted = "accepted = {'ban-drop-column': 'Release 0.9 was the last that read it.'}"
    said = checked(folder, "RemoveField('transaction', 'category')", accepted)
    assert "no table for long" in said, said


def test_a_rule_may_not_be_broken_for_no_reason(folder: Path) -> None:
    said = checked(
        folder, "RemoveField('transaction', 'category')", "accepted = {'ban-drop-column': ''}"
    )
    assert "transactions.9999_planted: ban-drop-column: " in said


def test_an_acceptance_that_nothing_needs_is_refused(folder: Path) -> None:
    said = checked(folder, NULLABLE, "accepted = {'ban-drop-column': 'Once it did.'}")
    assert "it accepts ban-drop-column, which it does not break" in said


def test_sql_that_cannot_be_read_is_refused(folder: Path) -> None:
    said = checked(folder, "RunSQL('ALTER TABLE transactions_transaction ALTER')")
    assert "syntax-error" in said
