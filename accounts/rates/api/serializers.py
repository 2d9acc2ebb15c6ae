"""Shapes of the rates route."""

from typing import Any

from rest_framework import serializers

from accounts.rates.table import RateTable


class RateAnswer(serializers.Serializer[Any]):
    """What one unit costs, in the base."""

    mid = serializers.CharField()
    bid = serializers.CharField(allow_null=True, help_text="What the bank buys it at.")
    ask = serializers.CharField(allow_null=True, help_text="What the bank sells it at.")


class RatesAnswer(serializers.Serializer[Any]):
    base = serializers.CharField()
    effective_date = serializers.DateField(help_text="The day that the bank gave them out for.")
    fetched_at = serializers.DateTimeField(help_text="When the bank last said so.")
    source = serializers.ChoiceField(  # type: ignore[assignment]
        choices=["bank", "shipped"], help_text="`shipped`: no bank's; for demonstrations only."
    )
    stale = serializers.BooleanField()
    rates = serializers.DictField(child=RateAnswer(), help_text="By ISO 4217 code.")


def represent(table: RateTable) -> dict[str, Any]:
    """The answer's fields, as RatesAnswer declares them."""
    answer = table.as_json()
    rates = answer.pop("rates")
    return answer | {"stale": table.stale, "rates": rates}
