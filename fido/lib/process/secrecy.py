"""Takes out of log lines what PostgreSQL has said: it quotes values, and so names and amounts."""

import re
import sys
from collections.abc import Iterator, MutableMapping
from typing import Any

import psycopg
import structlog
from django.db.utils import Error


def with_exception(
    logger: Any, method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Render the exception, if there is one. Of the database's errors only the SQLSTATE is left.

    Their messages are taken out of the whole line, since Celery and others repeat them elsewhere.
    Classes stay, and so do the lines of code.
    """
    said = [
        (_pattern(text), f"[SQLSTATE {sqlstate_of(error)}]")
        for error in _errors(line)
        if isinstance(error, Error | psycopg.Error)
        for text in (repr(error), str(error))
        if text
    ]
    line = structlog.processors.format_exc_info(logger, method, line)
    return {name: _without(said, value) for name, value in line.items()} if said else line


def sqlstate_of(error: BaseException) -> str | None:
    """Of an error of the database; None where the server had no chance to name one."""
    cause = error.__cause__ if isinstance(error, Error) else error
    sqlstate: str | None = getattr(cause, "sqlstate", None)
    return sqlstate


def _errors(line: MutableMapping[str, Any]) -> Iterator[BaseException]:
    """The exceptions that the line may show, with those that led to them."""
    given = line.get("exc_info")
    pending = [sys.exc_info()[1] if given else None]
    pending += given if isinstance(given, tuple) else [given]
    pending += line.values()
    seen = set[int]()
    while pending:
        error = pending.pop()
        if isinstance(error, BaseException) and id(error) not in seen:
            seen.add(id(error))
            pending += [error.__cause__, error.__context__]
            pending += error.exceptions if isinstance(error, BaseExceptionGroup) else []
            yield error


def _pattern(text: str) -> re.Pattern[str]:
    """The text, also where the traceback of a group of exceptions indents its lines."""
    return re.compile(r"\n[ |]*".join(map(re.escape, text.split("\n"))))


def _without(said: list[tuple[re.Pattern[str], str]], value: Any) -> Any:
    if isinstance(value, BaseException):
        value = repr(value)
    if isinstance(value, str):
        for pattern, instead in said:
            value = pattern.sub(instead, value)
    return value
