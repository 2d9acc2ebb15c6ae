"""Shapes of the wallet routes."""

from typing import Any

from django.conf import settings
from rest_framework import serializers

from accounts.limits import MAX_NAME_LENGTH
from accounts.rates.table import COLUMNS, text
from accounts.wallets import names
from accounts.wallets.conversion import Converted
from accounts.wallets.models import Balance
from fido.lib.api.serializers import (
    ChoiceField,
    CurrencyField,
    FlagField,
    HeldMoneyField,
    QuerySerializer,
    StrictSerializer,
    Text,
)
from fido.lib.values import money


class WalletNameField(Text):
    def __init__(self) -> None:
        super().__init__(
            max_length=names.MAX_LENGTH,
            help_text="Part of paths: no slash, backslash or control characters; not `.` or `..`.",
        )

    def to_internal_value(self, data: Any) -> str:
        try:
            return names.parse(super().to_internal_value(data))
        except names.MalformedName as error:
            raise serializers.ValidationError(str(error), code=error.code) from None


class WalletSerializer(StrictSerializer):
    name = WalletNameField()
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)


class BalanceSerializer(StrictSerializer):
    currency = CurrencyField()
    amount = HeldMoneyField(
        required=False, help_text="In a request: the opening amount, no transaction. Default: 0."
    )

    def to_representation(self, instance: Balance) -> dict[str, Any]:
        return {
            "currency": instance.currency,
            "amount": money.text(instance.amount, instance.currency),
        }


class ConversionQuery(QuerySerializer):
    to = CurrencyField(required=False, help_text="Default: the caller's currency.")
    rate = ChoiceField(
        choices=COLUMNS, default="mid", required=False, help_text="Which of the bank's rates."
    )


class ConvertedLine(serializers.Serializer[Any]):
    wallet = serializers.CharField()
    currency = serializers.CharField()
    amount = serializers.CharField()
    rate = serializers.CharField(allow_null=True, help_text="To ten digits; null if there is none.")
    converted = serializers.CharField(allow_null=True)


class ConvertedAnswer(serializers.Serializer[Any]):
    to = serializers.CharField()
    rate = serializers.ChoiceField(choices=COLUMNS)
    rates_as_of = serializers.DateField(
        allow_null=True, help_text="Null if nothing had to be converted."
    )
    lines = ConvertedLine(many=True)
    sum = serializers.CharField(
        allow_null=True, help_text="Of the rounded lines; null if one of them has no rate."
    )


class CustomerSerializer(StrictSerializer):
    """A customer who does not log in."""

    id = serializers.IntegerField(read_only=True)
    name = Text(max_length=MAX_NAME_LENGTH)
    total = HeldMoneyField(required=False, help_text="The opening balance. Default: 0.")
    currency = CurrencyField(required=False, write_only=True, help_text="Default: the service's.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"total": money.ZERO, "currency": settings.DEFAULT_CURRENCY} | attrs


class CustomersQuery(QuerySerializer):
    """How to create many customers."""

    atomic = FlagField(
        default=True,
        required=False,
        help_text="True: all rows or none. False: each row on its own.",
    )


def represent_converted(answer: Converted, to: str, rate: str) -> dict[str, Any]:
    """The answer's fields, as declared by ConvertedAnswer."""
    return {
        "to": to,
        "rate": rate,
        "rates_as_of": answer.rates_as_of and answer.rates_as_of.isoformat(),
        "lines": [
            {
                "wallet": line.wallet,
                "currency": line.currency,
                "amount": money.text(line.amount, line.currency),
                "rate": None if line.rate is None else text(line.rate),
                "converted": None if line.converted is None else money.text(line.converted, to),
            }
            for line in answer.lines
        ],
        "sum": None if answer.sum is None else money.text(answer.sum, to),
    }
