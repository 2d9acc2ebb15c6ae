"""Health checks: whether this process is alive, and whether it can serve."""

import time
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection
from redis.exceptions import RedisError

from fido.lib.process.database_errors import name_of

# The longest wait for an answer. An idle connection may have to be replaced before.
ANSWER_SECONDS = 2
# Probes come from several places. For each process one write in this time is enough.
WRITE_SECONDS = 5
# It touches no row, so probes do not wait for each other or for anybody else. The message goes to
# the disk, as a commit does, and nobody reads it. The rows do not fit into the memory allowed and
# go to a file: on a full disk there may still be room for a message, or for another version of a
# row, but not for new blocks.
WRITE = """
SET LOCAL statement_timeout = '1s';
SET LOCAL work_mem = '64kB';
SELECT pg_logical_emit_message(true, 'fido.readyz', ''), count(*) FROM generate_series(1, 20000)
"""


class _Written:
    at = float("-inf")


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """The process answers. Checks nothing else, so that a restart happens only where it helps."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Database, with a write now and then, Redis and migrations; 503 names what failed, and how."""
    found = servers()
    # A database that failed is not asked again, which would take as long once more.
    found["migrations"] = found["database"] or _migrations()
    failed = any(found.values())
    checks = {name: error or "ok" for name, error in found.items()}
    body = {"status": "failed" if failed else "ok", "checks": checks}
    headers = {"Retry-After": "2"} if failed else None
    return JsonResponse(body, status=503 if failed else 200, headers=headers)


def servers() -> dict[str, str | None]:
    """What failed of each server; None if nothing did."""
    return {"database": _database(), "redis": _redis()}


def _database() -> str | None:
    try:
        with connection.cursor() as cursor, connection.connection.waiting(ANSWER_SECONDS):
            return _written(cursor)
    except DatabaseError as error:
        return name_of(error)


def _written(cursor: Any) -> str | None:
    # After a failover, a connection may still lead to the server that only reads.
    cursor.execute("SHOW transaction_read_only")
    if cursor.fetchone() == ("on",):
        return "read-only"
    if time.monotonic() - _Written.at > WRITE_SECONDS:
        cursor.execute(WRITE)
        _Written.at = time.monotonic()
    return None


def _redis() -> str | None:
    try:
        get_redis_connection().ping()
    except RedisError as error:
        return type(error).__name__
    return None


def _migrations() -> str | None:
    try:
        with connection.cursor(), connection.connection.waiting(ANSWER_SECONDS):
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return name_of(error)
    return f"{len(plan)} not applied" if plan else None
