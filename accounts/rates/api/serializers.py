"""Shapes of the rates route."""

from typing import Any

from rest_framework import serializers

from accounts.rates.table import RateTable


class RateAnswer(serializers.Serializer[Any]):
    """The price of one unit, in the base currency."""

    mid = serializers.CharField()
    bid = serializers.CharField(allow_null=True, help_text="The bank's buying rate.")
    ask = serializers.CharField(allow_null=True, help_text="The bank's selling rate.")


class RatesAnswer(serializers.Serializer[Any]):
    base = serializers.CharField()
    effective_date = serializers.DateField(help_text="The day for which they were published.")
    fetched_at = serializers.DateTimeField(help_text="When they were last delivered.")
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="`bank`, or `shipped`: built in, for demonstrations only."
    )
    stale = serializers.BooleanField()
    rates = serializers.DictField(child=RateAnswer(), help_text="By ISO 4217 code.")


class CurrencyAnswer(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="ISO 4217.")
    name = serializers.CharField()
    decimals = serializers.IntegerField(help_text="How many its amounts have.")


class CurrenciesAnswer(serializers.Serializer[Any]):
    results = CurrencyAnswer(many=True, help_text="Ordered by code.")


def represent(table: RateTable) -> dict[str, Any]:
    """The answer's fields, as declared by RatesAnswer."""
    answer = table.as_json()
    rates = answer.pop("rates")
    return answer | {"stale": table.stale, "rates": rates}
