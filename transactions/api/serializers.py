"""Shapes of the transaction routes. Every field is declared: mapping a model costs more."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.models import MAX_NAME_LENGTH
from accounts.wallets import names
from fido.lib.api.pagination import ListQuery
from fido.lib.api.paths import MAX_BIGINT
from fido.lib.api.serializers import (
    ChoiceField,
    CurrencyField,
    FlagField,
    MomentField,
    MoneyField,
    PeriodSerializer,
    QuerySerializer,
    StrictSerializer,
    Text,
)
from fido.lib.values import clock, money
from fido.lib.values.crypto.masking import HIDDEN, masked_name
from transactions.file_formats import FORMATS
from transactions.models import (
    MAX_DESCRIPTION_LENGTH,
    MAX_EXTERNAL_ID_LENGTH,
    Transaction,
)

NULLABLE: dict[str, Any] = {"required": False, "allow_null": True}


# With an example: the docs' form would take the greatest number there is.
@extend_schema_field({"type": "integer", "minimum": 1, "maximum": MAX_BIGINT, "example": 1})
class UserIdField(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_BIGINT, required=False, **kwargs)


class WalletField(Text):
    """A wallet's name; whether there is such a wallet is asked where its owner is known."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=names.MAX_LENGTH, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        return names.normalised(super().to_internal_value(data))


class TransactionSerializer(StrictSerializer):
    """A credit or a debit."""

    id = serializers.UUIDField(read_only=True)
    user_id = UserIdField(help_text="The caller's unless staff or a service names another.")
    full_name = Text(max_length=MAX_NAME_LENGTH, help_text="Default: the profile's.", **NULLABLE)
    transaction_date = MomentField()
    transaction_amount = MoneyField()
    transaction_type = ChoiceField(choices=Transaction.Type.choices)
    currency = CurrencyField(required=False, help_text="Default: the user's.")
    description = Text(max_length=MAX_DESCRIPTION_LENGTH, **NULLABLE)
    external_id = Text(max_length=MAX_EXTERNAL_ID_LENGTH, **NULLABLE)
    wallet = WalletField(help_text="The name of the wallet whose balance it moves.", **NULLABLE)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class BulkQuery(QuerySerializer):
    """How a bulk is to be recorded."""

    atomic = FlagField(
        default=True,
        required=False,
        help_text="All rows or none, and then all of one user; else each row for itself.",
    )


class RowErrorSerializer(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="Where in the body (RFC 6901).")
    code = serializers.CharField()
    detail = serializers.CharField()


class RowResultSerializer(serializers.Serializer[Any]):
    """What became of one row: its transaction, or why there is none."""

    index = serializers.IntegerField(help_text="The row's place in the body, from 0.")
    status = serializers.IntegerField(help_text="What the row alone would have been answered.")
    transaction = TransactionSerializer(required=False)
    code = serializers.CharField(required=False)
    errors = RowErrorSerializer(many=True, required=False)  # type: ignore[assignment]
    existing_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="Which transaction has the external_id."
    )


class BulkResultSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = RowResultSerializer(many=True, help_text="One a row, in order.")


class HistoryFilters(PeriodSerializer):
    """Which transactions, and in which order."""

    transaction_type = ChoiceField(choices=Transaction.Type.choices, required=False)
    currency = CurrencyField(required=False)
    min_amount = MoneyField(required=False)
    max_amount = MoneyField(required=False)
    external_id = Text(max_length=MAX_EXTERNAL_ID_LENGTH, required=False)
    full_name = Text(max_length=MAX_NAME_LENGTH, required=False)
    wallet = WalletField(required=False)
    user_id = UserIdField(help_text="Staff only.")
    order = ChoiceField(
        choices=["-transaction_date", "transaction_date"],
        default="-transaction_date",
        required=False,
    )


class HistorySerializer(ListQuery, HistoryFilters):
    """The filters of a history, and which page of it."""


class ExportSerializer(HistoryFilters):
    """The filters of a history, all of which goes into a file."""

    format = ChoiceField(choices=sorted(FORMATS), default="csv", required=False)


def represent(row: Transaction, wallets: Mapping[UUID, str]) -> dict[str, Any]:
    """The answer's fields, as TransactionSerializer declares them.

    `wallets` are the names by id. By hand: twelve field objects a row are most of the time of a
    history page.
    """
    return {
        "id": str(row.pk),
        "user_id": row.user_id,
        "full_name": row.full_name,
        "transaction_date": clock.text(row.transaction_date),
        "transaction_amount": money.text(row.transaction_amount, row.currency),
        "transaction_type": row.transaction_type,
        "currency": row.currency,
        "description": row.description,
        "external_id": row.external_id,
        "wallet": row.wallet_id and wallets[row.wallet_id],
        "created_at": clock.text(row.created_at),
        "updated_at": clock.text(row.updated_at),
    }


def represent_masked(row: Transaction, wallets: Mapping[UUID, str]) -> dict[str, Any]:
    """Somebody else's transaction in a list, or for staff who may not open names."""
    masked = {"full_name": masked_name(row.full_name), "description": row.description and HIDDEN}
    return represent(row, wallets) | masked
