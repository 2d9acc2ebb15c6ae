"""Fido without the limits of waits for PostgreSQL, and with short rounds of the watchdog.

`celery -A tests.stuck worker`, `celery -A tests.stuck beat`, and for gunicorn
`--config python:tests.stuck`.
"""

from threading import Event
from typing import Any

from celery.worker.control import control_command

from fido.celery import app
from fido.lib.process import watchdog
from fido.lib.process.postgresql import base
from fido.serving.config import *  # noqa: F403

__all__ = ["app"]  # which Celery looks for
base.GRACE_SECONDS = base.LOOK_SECONDS = 1_000_000.0
# PROGRESS_SECONDS are 120 rounds, and longer than the pause between two rounds of a worker's loop.
watchdog.ROUND_SECONDS = 0.05


@control_command()
def hang(state: Any) -> None:
    """Keep the worker's main loop for good."""
    Event().wait()
