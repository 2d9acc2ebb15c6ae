"""How a test that commits leaves the database behind: as migrations made it, and quickly."""

from importlib import import_module

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

from tests.alerts import add_default_rules

SERVICE_GROUP = "accounts.migrations.0002_append_only_access_log_and_service_group"
# What migrations fill from the models. Django empties these too, and makes them anew each time,
# which takes longer than most tests.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def as_migrated(case: TransactionTestCase) -> None:
    """In the place of Django's flush, which forgets the rows that migrations added."""
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [name for name in found if name not in KEPT]
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables))
    import_module(SERVICE_GROUP).make_service_group(apps, None)
    add_default_rules()
