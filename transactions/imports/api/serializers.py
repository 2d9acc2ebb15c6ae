"""Shapes of the import routes."""

from typing import Any

from rest_framework import serializers

from fido.lib.api.schema import one_of
from fido.lib.api.serializers import StrictSerializer
from transactions.api.serializers import UserIdField
from transactions.files.formats import FORMATS
from transactions.imports.models import Import
from transactions.statements.recognition import STATEMENTS


class UploadFields(StrictSerializer):
    """The fields of the form."""

    file = serializers.FileField(help_text="CSV or NDJSON in UTF-8, or a bank's file. Also packed.")
    user_id = UserIdField(help_text="Default: the caller. Only staff and services may name others.")


class ImportErrorAnswer(serializers.Serializer[Any]):
    line = serializers.IntegerField(help_text="The line where the row begins, from 1.")
    column = serializers.CharField(help_text='"" for the whole row.')
    code = serializers.CharField()
    detail = serializers.CharField()


class ImportWarningAnswer(serializers.Serializer[Any]):
    """A statement whose closing balance is not its opening balance with its entries."""

    code = serializers.CharField()
    statement = serializers.IntegerField(help_text="Which of the file's, from 1.")
    difference = serializers.CharField(help_text="What the closing balance has more.")
    currency = serializers.CharField()
    detail = serializers.CharField()


class ImportAnswer(serializers.Serializer[Any]):
    """An import and its progress. A list leaves out `errors` and `warnings`."""

    id = serializers.UUIDField()
    user_id = serializers.IntegerField()
    # No enums: a client that was generated before there was another value has to take it.
    status = serializers.CharField(help_text=one_of(Import.Status.values))
    format = serializers.CharField(source="layout.form", help_text=one_of([*FORMATS, *STATEMENTS]))
    size_bytes = serializers.IntegerField(help_text="Unpacked.")
    rows_read = serializers.IntegerField()
    rows_created = serializers.IntegerField()
    rows_refused = serializers.IntegerField()
    rows_pending = serializers.IntegerField(
        help_text="Entries of a bank's file that are not booked yet: left out."
    )
    errors = ImportErrorAnswer(  # type: ignore[assignment]
        many=True, required=False, help_text="The first 1,000."
    )
    warnings = ImportWarningAnswer(
        many=True,
        required=False,
        help_text="Statements whose entries do not explain its balances: at most 100.",
    )
    failure = serializers.CharField(allow_null=True, help_text="Why it failed: a stable code.")
    failure_detail = serializers.CharField(allow_null=True, help_text="The same, for people.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Import) -> dict[str, Any]:
        absent = {"failure": instance.failure or None}
        absent["failure_detail"] = instance.failure_detail or None
        return super().to_representation(instance) | absent
