"""Shapes of the import routes."""

from dataclasses import asdict
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from fido.lib.api.schema import one_of
from fido.lib.api.serializers import (
    FlagField,
    ParsedField,
    QuerySerializer,
    StrictSerializer,
    Text,
)
from fido.lib.values import money
from fido.lib.values.strict_json import read_json
from transactions.api.serializers import UserIdField
from transactions.files.formats import FORMATS
from transactions.imports.models import MAX_KEPT, MAX_MAPPING_NAME, Import
from transactions.imports.preview import Preview
from transactions.imports.saved import NAME, NAME_RULE
from transactions.mappings.mapping import ColumnMapping, InvalidMapping, parsed
from transactions.statements.recognition import STATEMENTS


@extend_schema_field(OpenApiTypes.STR)
class MappingField(ParsedField[Any]):
    """A mapping as JSON in a form, or the name of one."""

    @staticmethod
    def parse(value: object) -> Any:
        text = str(value).strip()
        return mapping_of(text) if text.startswith("{") else text


@extend_schema_field(OpenApiTypes.ANY)
class MappingObjectField(ParsedField[ColumnMapping]):
    """A mapping in a JSON body."""

    parse = staticmethod(parsed)


def mapping_of(text: str) -> ColumnMapping:
    """Raises ValueError."""
    try:
        return parsed(read_json(text))
    except InvalidMapping:
        raise
    except (ValueError, RecursionError, ArithmeticError):
        raise ValueError("The mapping cannot be read as JSON.") from None


class ImportQuery(QuerySerializer):
    """How to take the file."""

    dry_run = FlagField(
        default=False,
        required=False,
        help_text="True: only tell what the import would do. Nothing is recorded.",
    )


class UploadFields(StrictSerializer):
    """The fields of the form."""

    file = serializers.FileField(help_text="CSV or NDJSON, or a bank's file. Also packed.")
    mapping = MappingField(
        required=False,
        help_text="What the columns of a foreign CSV are: JSON, or a mapping's name. Default: found"
        " in the file.",
    )
    user_id = UserIdField(help_text="Default: the caller. Only staff and services may name others.")
    # Without a default, which makes a field required in generated clients.
    by_user = FlagField(
        required=False,
        help_text="True: each row names its user as user_id. Only for staff and services.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("by_user") and "user_id" in attrs:
            detail = "Each row names its user: leave this out."
            raise serializers.ValidationError({"user_id": ErrorDetail(detail, "not-needed")})
        return attrs


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
    """An import and its progress. A list leaves out `errors`, `warnings`, `kept` and `mapping`."""

    id = serializers.UUIDField()
    user_id = serializers.IntegerField()
    # No enums: a client that was generated before there was another value has to take it.
    status = serializers.CharField(help_text=one_of(Import.Status.values))
    format = serializers.CharField(source="layout.form", help_text=one_of([*FORMATS, *STATEMENTS]))
    mapping = serializers.JSONField(
        source="layout.mapping",
        default=None,
        help_text="What a foreign CSV's columns are, or null.",
    )
    guessed = serializers.BooleanField(
        source="layout.is_guessed", default=False, help_text="Whether the file alone told them."
    )
    by_user = serializers.BooleanField(
        source="layout.by_user", default=False, help_text="Whether each row names its user."
    )
    size_bytes = serializers.IntegerField(help_text="Unpacked.")
    rows_read = serializers.IntegerField()
    rows_created = serializers.IntegerField()
    rows_refused = serializers.IntegerField()
    rows_pending = serializers.IntegerField(
        help_text="Entries of a bank's file that are not booked yet: left out."
    )
    rows_undone = serializers.IntegerField(help_text="What an undo has deleted.")
    rows_kept = serializers.IntegerField(help_text="What the latest undo has left.")
    errors = ImportErrorAnswer(  # type: ignore[assignment]
        many=True, required=False, help_text="The first 1,000."
    )
    warnings = ImportWarningAnswer(
        many=True,
        required=False,
        help_text="Statements whose entries do not explain its balances: at most 100.",
    )
    # Of no type of their own, which would be one more file in a generated client.
    kept = serializers.ListField(
        child=serializers.JSONField(),
        required=False,
        help_text=f"The first {MAX_KEPT:,} of them: each one's `id`, and as `code` why.",
    )
    failure = serializers.CharField(allow_null=True, help_text="Why it failed: a stable code.")
    failure_detail = serializers.CharField(allow_null=True, help_text="The same, for people.")
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Import) -> dict[str, Any]:
        absent = {"failure": instance.failure or None}
        absent["failure_detail"] = instance.failure_detail or None
        return super().to_representation(instance) | absent


class ImportPreview(serializers.Serializer[Any]):
    """What an import would do."""

    format = serializers.CharField(help_text=one_of([*FORMATS, *STATEMENTS]))
    mapping = serializers.JSONField(help_text="What a foreign CSV's columns are, or null.")
    guessed = serializers.BooleanField(help_text="Whether the file alone told them.")
    complete = serializers.BooleanField(
        help_text="False: the file has more rows than a preview reads, and these figures are of"
        " those before."
    )
    rows = serializers.JSONField(
        help_text="The first 20 that would be recorded: `line`, and the fields of a transaction. A"
        " `full_name` that comes from somebody else's profile is null."
    )
    users = serializers.IntegerField(help_text="For how many users there are such rows.")
    rows_read = serializers.IntegerField()
    rows_acceptable = serializers.IntegerField()
    rows_refused = serializers.IntegerField()
    rows_pending = serializers.IntegerField()
    errors = ImportErrorAnswer(  # type: ignore[assignment]
        many=True, help_text="The first 1,000, without duplicates."
    )
    duplicates = serializers.JSONField(
        help_text="`recorded`: how many would be refused, because their external_id is taken."
        " `similar`: how many would be recorded beside a transaction of the same day, amount, type"
        " and currency; null for those who may not know. `recorded_lines`, `similar_lines`: where"
        " the first 100 are."
    )
    period = serializers.JSONField(help_text="`start` and `end`: days, or null.")
    by_currency = serializers.JSONField(
        help_text="For each `currency`: `total_transactions`, `total_credit` and `total_debit`."
    )
    balances = serializers.JSONField(
        help_text="What a bank's file says that the account held: `statement`, `moment` (`opening`"
        " or `closing`), `amount` and `currency`."
    )
    warnings = ImportWarningAnswer(many=True)


SHOWN_LINES = 100


def represent_preview(found: Preview) -> dict[str, Any]:
    """The answer that ImportPreview describes."""
    similar = found.similar
    return {
        "format": found.layout.form,
        "mapping": found.layout.mapping,
        "guessed": found.layout.is_guessed,
        "complete": found.is_whole,
        "rows": found.rows,
        "users": len(found.users),
        "rows_read": found.rows_read,
        "rows_acceptable": found.rows_acceptable,
        "rows_refused": found.rows_refused,
        "rows_pending": found.proof.pending,
        "errors": [{"line": line, **asdict(fault)} for line, fault in found.errors],
        "duplicates": {
            "recorded": len(found.recorded),
            "recorded_lines": found.recorded[:SHOWN_LINES],
            "similar": None if similar is None else len(similar),
            "similar_lines": (similar or [])[:SHOWN_LINES],
        },
        "period": {
            "start": found.first and found.first.isoformat(),
            "end": found.last and found.last.isoformat(),
        },
        "by_currency": [
            {
                "currency": currency,
                "total_transactions": moved.count,
                "total_credit": money.text(moved.credit, currency),
                "total_debit": money.text(moved.debit, currency),
            }
            for currency, moved in sorted(found.moved.items())
        ],
        "balances": found.proof.balances,
        "warnings": found.proof.warnings,
    }


class MappingSerializer(StrictSerializer):
    """A mapping under a name."""

    name = Text(max_length=MAX_MAPPING_NAME, help_text=NAME_RULE)
    mapping = MappingObjectField(
        help_text="`columns` by name with a `role`; see the guide on imports."
    )
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def validate_name(self, name: str) -> str:
        if not NAME.fullmatch(name):
            raise serializers.ValidationError(NAME_RULE)
        return name
