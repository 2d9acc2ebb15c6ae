"""Which error of the database it was, for the log and the metrics: never its message.

The message may hold values, and so names.
"""

import structlog

from fido.lib.process.postgresql.base import ServerSilent
from fido.lib.process.secrecy import sqlstate_of
from fido.lib.values.metrics import DATABASE_ERRORS

logger = structlog.get_logger("fido.database")

# By SQLSTATE; appendix A of the manual of PostgreSQL lists them.
KINDS = {
    "25006": "read-only",
    "25P03": "transaction-timeout",
    "25P04": "transaction-timeout",
    "40001": "conflict",
    "40P01": "deadlock",
    "53100": "disk-full",
    "53300": "too-many-connections",
    "55P03": "lock-timeout",
    "57014": "statement-timeout",
}
OTHERS = {"lost", "silent", "other"}
# From zero on: where a count begins with one, Prometheus sees no increase.
for known in {*KINDS.values(), *OTHERS}:
    DATABASE_ERRORS.labels(known)
# Of the server that shuts down, and of a connection that broke.
LOST = ("08", "57P")
# libpq hands out no SQLSTATE of a refused connection. On a server that speaks another language,
# this is counted as `lost`.
TOO_MANY = ("too many c", "remaining connection slots")


def report(error: BaseException) -> None:
    """Log and count an error that has ended a request or a job."""
    kind = kind_of(error)
    DATABASE_ERRORS.labels(kind).inc()
    logger.error("A database error.", kind=kind, error=name_of(error), sqlstate=sqlstate_of(error))


def name_of(error: BaseException) -> str:
    """The class of the driver's error, such as DiskFull."""
    return type(error.__cause__ or error).__name__


def kind_of(error: BaseException) -> str:
    """One of a few words."""
    cause = error.__cause__ or error
    sqlstate = sqlstate_of(error)
    if isinstance(cause, ServerSilent):
        return "silent"
    if sqlstate is None:
        return "too-many-connections" if _says(cause, TOO_MANY) else "lost"
    return KINDS.get(sqlstate) or ("lost" if sqlstate.startswith(LOST) else "other")


def _says(cause: BaseException, parts: tuple[str, ...]) -> bool:
    return any(part in str(cause) for part in parts)
