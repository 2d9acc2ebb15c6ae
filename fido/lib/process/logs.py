"""Log lines on standard output: JSON for machines, or short ones for people at a terminal."""

from typing import Any

import structlog

from fido.lib.process.secrecy import with_exception

# Added to every line, whoever wrote it.
SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
]


RED, YELLOW, PLAIN = "\033[31m", "\033[33m", "\033[0m"
# What a short line leaves out, as it says it otherwise or not at all.
TOLD = {"event", "level", "logger", "time", "method", "path", "status", "milliseconds", "exception"}


def configure_structlog() -> None:
    """Have structlog write through `logging`, whose handler formats all lines the same way."""
    structlog.configure(
        processors=[*SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def short(logger: Any, method: str, event: dict[str, Any]) -> str:
    """The time (UTC) and what happened; in colour what went wrong, and where to look further."""
    line, colour = f"{event['time'][11:19]}  {event['event']}", COLOURS.get(event["level"], "")
    if event["event"] == "request":
        status = event["status"]
        line = "{time}  {status}  {method} {path}  {milliseconds} ms".format(
            **event | {"time": event["time"][11:19]}
        )
        colour = RED if status >= 500 else YELLOW if status >= 400 else ""
    if colour:
        more = {name: value for name, value in event.items() if name not in TOLD}
        where = [f"{name}={value}" for name, value in (more | {"in": event["logger"]}).items()]
        line = f"{colour}{_printable(line)}{PLAIN}  {_printable(' '.join(where))}"
    else:
        line = _printable(line)
    return "\n".join([line, *filter(None, [event.get("exception")])])


def _printable(text: str) -> str:
    """Without what could move the cursor or begin a line: a client chooses the path."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


COLOURS = {"warning": YELLOW, "error": RED, "critical": RED}
FORMS = {"json": structlog.processors.JSONRenderer(ensure_ascii=True), "short": short}


def logging_config(level: str, form: str = "json") -> dict[str, Any]:
    """`LOGGING` for Django and Celery: one line for each event, with the request id."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": [
                    *SHARED,
                    # Named one by one: Django adds the request, which shows its query string.
                    structlog.stdlib.ExtraAdder(allow=["status_code"]),
                ],
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    with_exception,
                    FORMS.get(form, FORMS["json"]),
                ],
            }
        },
        "filters": {
            "traceback": {
                "()": "django.utils.log.CallbackFilter",
                "callback": lambda record: bool(record.exc_info),
            }
        },
        "handlers": {
            "stdout": {
                "class": "logging.StreamHandler",
                "stream": "ext://sys.stdout",
                "formatter": "line",
            }
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            # Its lines repeat ours, without the request id. Only the traceback of a bug is new.
            "django.request": {"filters": ["traceback"]},
            # Two lines for each stats job add nothing to the request's line.
            "django_structlog.celery": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            # A line for each periodic task, each time. The metrics say when each last succeeded.
            "celery.beat": {"level": "WARNING"},
        },
    }
