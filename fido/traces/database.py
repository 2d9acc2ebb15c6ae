"""A span for each statement. It has the statement's first word, and nothing else of it."""

from typing import Any

from django.db.backends.signals import connection_created

from fido.traces import spans

WORDS = {"SELECT", "INSERT", "UPDATE", "DELETE", "WITH", "COPY", "SET", "SAVEPOINT", "RELEASE"}


def watch() -> None:
    connection_created.connect(_watch_connection, dispatch_uid="fido.traces")


def _watch_connection(connection: Any, **kwargs: Any) -> None:
    # The list stays when the connection is made anew.
    if _traced not in connection.execute_wrappers:
        connection.execute_wrappers.append(_traced)


def _traced(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    with spans.within({"db.system.name": "postgresql", "db.operation.name": _word(sql)}):
        return execute(sql, params, many, context)


def _word(sql: Any) -> str:
    words = sql.split(None, 1) if isinstance(sql, str) else []
    word = words[0].upper() if words else ""
    return word if word in WORDS else "other"
