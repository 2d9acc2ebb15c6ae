"""The project package: wiring, and no business rule."""

from fido.celery import app as celery_app

__all__ = ["celery_app"]
