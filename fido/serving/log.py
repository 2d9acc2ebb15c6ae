"""gunicorn's log."""

from typing import Any

from gunicorn.glogging import Logger


class WithoutAccess(Logger):  # type: ignore[misc]
    """The service logs requests itself.

    With a logging configuration, gunicorn would compose a line for each, which nobody handles.
    """

    def access(self, *args: Any) -> None:
        return
