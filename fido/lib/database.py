"""What the service asks of each connection to PostgreSQL beyond Django's settings."""

from typing import Any

from django.conf import settings
from django.db.backends.signals import connection_created

HAS_TRANSACTION_TIMEOUT = 170000


def bound_transactions() -> None:
    """Has PostgreSQL end any transaction of this process that lasts too long.

    For web processes and workers; a migration may take its time. PostgreSQL before 17 bounds
    each statement and each pause between two, and not all of them together.
    """
    connection_created.connect(_bound, dispatch_uid="fido.bound_transactions")


def _bound(sender: Any, connection: Any, **kwargs: Any) -> None:
    seconds = settings.TRANSACTION_TIMEOUT_SECONDS
    name = "idle_in_transaction_session_timeout"
    if connection.pg_version >= HAS_TRANSACTION_TIMEOUT:
        name = "transaction_timeout"
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false)", [name, f"{seconds}s"])
