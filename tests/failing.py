"""Fido with jobs whose statements fail: `celery -A tests.failing worker`."""

from typing import Any

from celery import shared_task
from django.db import connection

from fido.celery import app

__all__ = ["app"]
VALUE = "Rosalind Planted"
STATEMENTS = {
    "a value that does not fit": "SELECT %s::int",
    "a row that does not fit": "INSERT INTO alerts_webhookendpoint (url) VALUES (%s)",
    "a message of a trigger": "DO $$ BEGIN RAISE 'no % here', 'Rosalind''s Planted'; END $$",
}


def fail(name: str) -> None:
    sql = STATEMENTS[name]
    with connection.cursor() as cursor:
        cursor.execute(sql, [VALUE] if "%s" in sql else None)


@shared_task(name="tests.fail")
def failing(name: str, **kwargs: Any) -> None:
    fail(name)
