"""Log lines: for machines and for people."""

import json
import logging
from logging.config import DictConfigurator
from typing import Any

import pytest
import structlog

from fido.lib.process.logs import FORMS, PLAIN, RED, YELLOW, logging_config

REQUEST = {"method": "POST", "path": "/api/v1/transactions", "milliseconds": 12.3}


def line(form: str, level: int, event: str, **more: Any) -> str:
    """What the handler of this form writes for an event."""
    config = DictConfigurator(logging_config("INFO", form))  # does not replace this process's
    formatter: logging.Formatter = config.configure_formatter(config.config["formatters"]["line"])
    written = list[str]()

    class Written(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(formatter.format(record))

    logger = logging.Logger("fido.somewhere")
    logger.addHandler(Written())
    structlog.wrap_logger(logger).log(level, event, **more)
    return written[0]


def test_machines_get_one_object_with_everything() -> None:
    told = json.loads(line("json", logging.INFO, "request", status=201, **REQUEST))

    assert REQUEST.items() <= told.items()
    assert told.keys() >= {"event", "level", "logger", "time", "status"}


def test_people_get_the_time_and_what_happened() -> None:
    told = line("short", logging.INFO, "request", status=201, request_id="a-1", **REQUEST)

    assert told[2] == told[5] == ":"
    assert told[8:] == "  201  POST /api/v1/transactions  12.3 ms"
    assert line("short", logging.INFO, "Redis is back.")[8:] == "  Redis is back."


@pytest.mark.parametrize(("status", "colour"), [(400, YELLOW), (503, RED)])
def test_a_failed_request_is_in_colour_with_its_id(status: int, colour: str) -> None:
    told = line("short", logging.INFO, "request", status=status, request_id="a-1", **REQUEST)

    assert told.startswith(colour)
    assert told.endswith(f"{PLAIN}  request_id=a-1 in=fido.somewhere")


@pytest.mark.parametrize("status", [200, 404])
def test_a_path_cannot_write_a_line_of_its_own_or_move_the_cursor(status: int) -> None:
    told = line(
        "short", logging.INFO, "request", status=status, **REQUEST | {"path": "/a\n\x1b[2J"}
    )

    assert "\n" not in told
    assert "\x1b[2J" not in told
    assert r"/a\n\x1b[2J" in told


def test_an_error_is_in_colour_with_where_to_look_and_its_traceback() -> None:
    try:
        raise ZeroDivisionError("nothing")
    except ZeroDivisionError:
        told = line("short", logging.ERROR, "It failed.", sqlstate="57014", exc_info=True)

    first, *more = told.splitlines()
    assert first.startswith(RED)
    assert first.endswith(f"  It failed.{PLAIN}  sqlstate=57014 in=fido.somewhere")
    assert more[-1] == "ZeroDivisionError: nothing"


def test_another_form_is_that_of_machines() -> None:
    assert set(FORMS) == {"json", "short"}
    assert json.loads(line("tall", logging.INFO, "It began."))["event"] == "It began."
