"""Liveness of a process without a port: it touches a file, and a health check reads its age."""

from pathlib import Path

from django.conf import settings


def show() -> None:
    """Touch ALIVE_FILE, if it is set."""
    if settings.ALIVE_FILE:
        Path(settings.ALIVE_FILE).touch(mode=0o600)
