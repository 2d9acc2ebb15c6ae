"""What PostgreSQL says about a failed statement quotes values, which are in no log line."""

import json
import logging
import logging.config
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import structlog
from django.db import DatabaseError, transaction

from fido.lib.process.logs import logging_config
from fido.queues import FORMER
from tests import failing
from tests.failing import STATEMENTS
from tests.races import wait_until
from tests.worker import running_worker

SQLSTATES = dict(zip(STATEMENTS, ("22P02", "23502", "P0001"), strict=True))


@pytest.fixture
def line(capsys: Any) -> Iterator[Callable[[], dict[str, Any]]]:
    """The one line that was logged, through the service's own formatter."""
    config = logging_config("INFO")
    formatter = logging.config.DictConfigurator(config).configure_formatter(
        config["formatters"]["line"]
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logged: list[str] = []
    handler.emit = lambda record: logged.append(handler.format(record))  # type: ignore[method-assign]
    root = logging.getLogger()
    root.addHandler(handler)

    def only() -> dict[str, Any]:
        (text,) = logged
        assert "Planted" not in text
        return dict(json.loads(text))

    yield only
    root.removeHandler(handler)


def failed(name: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as raised, transaction.atomic():
        failing.fail(name)
    assert "Planted" in str(raised.value)
    return raised.value


@pytest.mark.django_db
@pytest.mark.parametrize("name", STATEMENTS)
def test_of_a_failed_statement_class_state_and_code_are_left(
    name: str, line: Callable[[], dict[str, Any]]
) -> None:
    error = failed(name)

    logging.getLogger("x").error("It broke: %s, %r", error, error, exc_info=error)

    said = line()
    state = f"[SQLSTATE {SQLSTATES[name]}]"
    assert said["event"] == f"It broke: {state}, {state}"
    assert f"{type(error).__name__}: {state}" in said["exception"]
    assert "in fail\n    cursor.execute(sql" in said["exception"]


@pytest.mark.django_db
def test_what_repeats_the_message_is_found_along_the_chain(
    line: Callable[[], dict[str, Any]],
) -> None:
    first = failed("a value that does not fit")
    try:
        try:
            raise ValueError(f"Cannot go on: {first}") from first
        except ValueError as second:
            raise ExceptionGroup("Two", [second, KeyError("x")]) from None
    except ExceptionGroup:
        structlog.get_logger("x").exception("task_failed", error=str(first), exception=first)

    said = line()
    assert said["error"] == "[SQLSTATE 22P02]"
    assert "ValueError: Cannot go on: [SQLSTATE 22P02]" in said["exception"]


def test_an_error_that_is_given_as_a_value_is_rendered(line: Callable[[], dict[str, Any]]) -> None:
    structlog.get_logger("x").error("It broke.", reason=psycopg.OperationalError("to Planted"))

    assert line()["reason"] == "[SQLSTATE None]"


def test_other_errors_keep_their_messages(line: Callable[[], dict[str, Any]]) -> None:
    logging.getLogger("x").error("It broke.", exc_info=ValueError("a reason"))

    assert line()["exception"] == "ValueError: a reason"


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_leaves_no_value_in_the_workers_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output, running_worker(output=output, app="tests.failing"):
        for name in STATEMENTS:
            failing.failing.apply_async((name,), queue=FORMER)
        wait_until(lambda: log.read_text().count("task_failed") == len(STATEMENTS))

    said = log.read_text()
    assert "Planted" not in said
    lines = [json.loads(each) for each in said.splitlines() if each.startswith("{")]
    assert {each["level"] for each in lines} == {"error"}
    for state in SQLSTATES.values():
        # Of Celery and of django-structlog.
        assert sum(f"[SQLSTATE {state}]" in each["exception"] for each in lines) == 2
