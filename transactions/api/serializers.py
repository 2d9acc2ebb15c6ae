"""Shapes of the transaction routes. Fields are declared, because mapping a model is slower."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.wallets import names
from accounts.wallets.api.serializers import CustomerSerializer
from fido.lib.api.pagination import ListQuery
from fido.lib.api.paths import MAX_BIGINT
from fido.lib.api.serializers import (
    ChoiceField,
    CurrencyField,
    FlagField,
    MomentField,
    MoneyField,
    PeriodSerializer,
    ProblemErrors,
    QuerySerializer,
    StrictSerializer,
    Text,
)
from fido.lib.cache.answers import Body
from transactions.files import columns, formats
from transactions.files.formats import FORMATS
from transactions.models import Transaction

_WALLET = columns.NAMES.index("wallet")


# With an example; otherwise the form in the docs suggests the largest possible number.
@extend_schema_field({"type": "integer", "minimum": 1, "maximum": MAX_BIGINT, "example": 1})
class UserIdField(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_BIGINT, required=False, **kwargs)


class WalletField(Text):
    """A wallet's name; whether it exists is checked once its owner is known."""

    def to_internal_value(self, data: Any) -> str:
        return names.normalised(super().to_internal_value(data))


def free_text(name: str, field: type[Text] = Text) -> Text:
    """The field of a free-text column."""
    column = columns.BY_NAME[name]
    options: dict[str, Any] = {"help_text": column.help_text} if column.help_text else {}
    return field(max_length=columns.max_length(name), required=False, allow_null=True, **options)


class TransactionSerializer(StrictSerializer):
    """A credit or a debit."""

    id = serializers.UUIDField(read_only=True)
    user_id = UserIdField(help_text="Default: the caller. Only staff and services may name others.")
    full_name = free_text("full_name")
    transaction_date = MomentField()
    transaction_amount = MoneyField()
    transaction_type = ChoiceField(choices=Transaction.Type.choices)
    currency = CurrencyField(required=False, help_text=columns.BY_NAME["currency"].help_text)
    description = free_text("description")
    external_id = free_text("external_id")
    wallet = free_text("wallet", WalletField)
    category = free_text("category")
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class BulkQuery(QuerySerializer):
    """How to record a bulk."""

    atomic = FlagField(
        default=True,
        required=False,
        help_text="True: all rows or none, and all for one user. False: each row on its own.",
    )


class RowResultSerializer(serializers.Serializer[Any]):
    """The result of one row: its transaction or its customer, or why it was refused."""

    index = serializers.IntegerField(help_text="The row's position in the body, from 0.")
    status = serializers.IntegerField(help_text="The status that the row alone would have got.")
    transaction = TransactionSerializer(required=False)
    customer = CustomerSerializer(required=False)
    code = serializers.CharField(required=False)
    errors = ProblemErrors(required=False)  # type: ignore[assignment]
    existing_id = serializers.UUIDField(
        required=False, allow_null=True, help_text="The transaction that has the external_id."
    )


class BulkResultSerializer(serializers.Serializer[Any]):
    created = serializers.IntegerField()
    refused = serializers.IntegerField()
    results = RowResultSerializer(many=True, help_text="One per row, in order.")


class HistoryFilters(PeriodSerializer):
    """Which transactions, and in which order."""

    transaction_type = ChoiceField(
        choices=Transaction.Type.choices, required=False, help_text="Only these."
    )
    currency = CurrencyField(required=False, help_text="In this currency.")
    min_amount = MoneyField(required=False, help_text="Of at least this amount.")
    max_amount = MoneyField(required=False, help_text="Of at most this amount.")
    external_id = Text(
        max_length=columns.max_length("external_id"), required=False, help_text="With this id."
    )
    full_name = Text(
        max_length=columns.max_length("full_name"),
        required=False,
        help_text="With this whole name; case and accents do not matter.",
    )
    wallet = WalletField(
        max_length=columns.max_length("wallet"), required=False, help_text="In this wallet."
    )
    category = Text(
        max_length=columns.max_length("category"), required=False, help_text="Of this category."
    )
    user_id = UserIdField(help_text="Staff only.")
    order = ChoiceField(
        choices=["-transaction_date", "transaction_date"],
        default="-transaction_date",
        required=False,
        help_text="The latest or the earliest first.",
    )


class HistorySerializer(ListQuery, HistoryFilters):
    """The filters of a history, and the page."""


class ExportSerializer(HistoryFilters):
    """The filters of a history, and the format of its file."""

    format = ChoiceField(
        choices=sorted(FORMATS), default="csv", required=False, help_text="Of the file."
    )


def represent(row: Transaction, wallets: Mapping[UUID, str], *, clear: bool) -> Body:
    """The answer's fields, as declared by TransactionSerializer.

    `wallets` has names by id. `clear` is false for another user's transaction, as shown to staff
    who may not open names. This does not use the serializer, whose field objects would take most of
    the time.
    """
    values = [getattr(row, name) for name in columns.ATTRIBUTES]
    values[_WALLET] = row.wallet_id and wallets[row.wallet_id]
    return represent_entry(values, clear=clear)


def represent_entry(row: formats.Row, *, clear: bool) -> Body:
    """A row of a history page."""
    values = formats.in_clear(row) if clear else formats.masked(row)
    return dict(zip(columns.NAMES, values, strict=True))
