"""Health checks: whether this process is alive, and whether it can serve."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe
from django_redis import get_redis_connection
from redis.exceptions import RedisError


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """The process answers. Checks nothing else, so that a restart happens only where it helps."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Database, Redis and migrations; 503 names each failed check and its error."""
    failed = {name: error for name, check in CHECKS.items() if (error := check())}
    checks = {name: failed.get(name, "ok") for name in CHECKS}
    body = {"status": "failed" if failed else "ok", "checks": checks}
    headers = {"Retry-After": "2"} if failed else None
    return JsonResponse(body, status=503 if failed else 200, headers=headers)


def _database() -> str | None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return type(error).__name__
    return None


def _redis() -> str | None:
    try:
        get_redis_connection().ping()
    except RedisError as error:
        return type(error).__name__
    return None


def _migrations() -> str | None:
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        return type(error).__name__
    return f"{len(plan)} not applied" if plan else None


CHECKS: dict[str, Callable[[], str | None]] = {
    "database": _database,
    "redis": _redis,
    "migrations": _migrations,
}
