"""Shapes of the import routes."""

from typing import Any

from rest_framework import serializers

from fido.lib.api.serializers import StrictSerializer
from transactions.api.serializers import UserIdField
from transactions.imports.models import Import


class UploadFields(StrictSerializer):
    """What stands beside the file."""

    file = serializers.FileField(help_text="CSV or NDJSON in UTF-8.")
    user_id = UserIdField(help_text="The caller's unless staff or a service names another.")


class ImportErrorAnswer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="Where the row begins, counted from 1.")
    column = serializers.CharField(help_text='"" for the whole row.')
    code = serializers.CharField()
    detail = serializers.CharField()


class ImportAnswer(serializers.Serializer[Any]):
    """How far an import has come."""

    id = serializers.UUIDField()
    user_id = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Import.Status.choices)
    format = serializers.ChoiceField(choices=["csv", "ndjson"], source="layout.form")
    size_bytes = serializers.IntegerField()
    rows_read = serializers.IntegerField()
    rows_created = serializers.IntegerField()
    rows_refused = serializers.IntegerField()
    errors = ImportErrorAnswer(many=True, help_text="The first 1,000.")  # type: ignore[assignment]
    failure = serializers.CharField(allow_null=True, help_text="Why it failed: a stable code.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Import) -> dict[str, Any]:
        return super().to_representation(instance) | {"failure": instance.failure or None}
