"""Shapes of the import routes."""

from typing import Any

from rest_framework import serializers

from fido.lib.api.serializers import StrictSerializer
from fido.lib.values import clock
from transactions.api.serializers import UserIdField
from transactions.imports.models import Import

ERROR = ("line", "column", "code", "detail")


class UploadFields(StrictSerializer):
    """The fields of the form."""

    file = serializers.FileField(help_text="CSV or NDJSON in UTF-8.")
    user_id = UserIdField(help_text="Default: the caller. Only staff and services may name others.")


class ImportErrorAnswer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="The line where the row begins, from 1.")
    column = serializers.CharField(help_text='"" for the whole row.')
    code = serializers.CharField()
    detail = serializers.CharField()


class ImportAnswer(serializers.Serializer[Any]):
    """An import and its progress."""

    id = serializers.UUIDField()
    user_id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Import.Status.choices)
    format = serializers.ChoiceField(choices=["csv", "ndjson"])
    size_bytes = serializers.IntegerField()
    rows_read = serializers.IntegerField()
    rows_created = serializers.IntegerField()
    rows_refused = serializers.IntegerField()
    errors = ImportErrorAnswer(many=True, help_text="The first 1,000.")  # type: ignore[assignment]
    failure = serializers.CharField(allow_null=True, help_text="Why it failed: a stable code.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


def represent(row: Import) -> dict[str, Any]:
    """The answer's fields, as declared by ImportAnswer."""
    return {
        "id": str(row.pk),
        "user_id": row.user_id,
        "status": str(row.status),
        "format": row.layout["form"],
        "size_bytes": row.size_bytes,
        "rows_read": row.rows_read,
        "rows_created": row.rows_created,
        "rows_refused": row.rows_refused,
        # PostgreSQL does not keep the order of an object's members.
        "errors": [{name: error[name] for name in ERROR} for error in row.errors],
        "failure": row.failure or None,
        "created_at": clock.text(row.created_at),
        "finished_at": row.finished_at and clock.text(row.finished_at),
    }
