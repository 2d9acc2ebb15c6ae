"""How a test that commits leaves the database behind: empty, and quickly."""

from django.core.management.color import no_style
from django.db import connection
from django.test import TransactionTestCase

# What migrations fill from the models. Django empties these too, and makes them anew each time,
# which takes longer than most tests.
KEPT = {"django_migrations", "django_content_type", "auth_permission"}


def empty_tables(case: TransactionTestCase) -> None:
    """In the place of Django's flush."""
    found = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [name for name in found if name not in KEPT]
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables))
