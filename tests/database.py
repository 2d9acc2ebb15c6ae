"""How a test that commits leaves the database behind: as migrations made it, and quickly."""

from importlib import import_module

from django.apps import apps
from django.db import connection
from django.test import TransactionTestCase

from tests.alerts import add_default_rules

SERVICE_GROUP = "accounts.migrations.0002_append_only_access_log_and_service_group"
# What migrations fill from the models. Django empties these too, and makes them anew each time,
# which takes longer than most tests.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


# TRUNCATE takes these, and the tables that refer to them. The others are empty: to empty them too
# takes half as long again.
WRITTEN = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace
        AND pg_relation_size(oid) > 0
"""


def as_migrated(case: TransactionTestCase) -> None:
    """In the place of Django's flush, which forgets the rows that migrations added."""
    with connection.cursor() as cursor:
        cursor.execute(WRITTEN)
        tables = [name for (name,) in cursor.fetchall() if name not in KEPT]
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
    import_module(SERVICE_GROUP).make_service_group(apps, None)
    add_default_rules()
