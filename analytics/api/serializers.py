"""Shapes of the analytics routes."""

from typing import Any

from rest_framework import serializers

from fido.lib.api.serializers import ChoiceField, CurrencyField, DayField, PeriodSerializer
from fido.lib.values import clock
from transactions.api.serializers import HistoryFilters


class AnalyticsQuery(PeriodSerializer):
    """The period: `start` and `end`, or one day as `transaction_date`."""

    transaction_date = DayField(required=False, help_text="One day, instead of a period.")
    currency = CurrencyField(required=False, help_text="The reporting currency.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        day = attrs.pop("transaction_date", None)
        if day and ("start" in attrs or "end" in attrs):
            message = "Either one day or a start and an end."
            raise serializers.ValidationError({"transaction_date": message})
        attrs = super().validate(attrs)
        return attrs | {"period": clock.whole_day(day)} if day else attrs


class FoundQuery(HistoryFilters):
    """The filters of the list, without an order."""

    order = None  # type: ignore[assignment]


class SeriesQuery(PeriodSerializer):
    interval = ChoiceField(choices=["day", "week", "month"], help_text="What each row covers.")


class PeriodAnswer(serializers.Serializer[Any]):
    start = serializers.DateTimeField(allow_null=True)
    end = serializers.DateTimeField(allow_null=True)


class LineAnswer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    total_transactions = serializers.IntegerField()
    total_credit = serializers.CharField()
    total_debit = serializers.CharField()
    average_transaction_value = serializers.CharField(required=False, help_text="Not in a series.")


class AnalyticsAnswer(serializers.Serializer[Any]):
    """Headline amounts in `currency`, converted at the mid rates of the day `rates_as_of`.

    They are null if a rate is missing. `by_currency` is exact.
    """

    user_id = serializers.IntegerField()
    full_name = serializers.CharField(allow_null=True)
    period = PeriodAnswer()
    total_transactions = serializers.IntegerField()
    busiest_day = serializers.DateField(allow_null=True)
    busiest_day_transactions = serializers.IntegerField()
    currency = serializers.CharField()
    total_credit = serializers.CharField(allow_null=True)
    total_debit = serializers.CharField(allow_null=True)
    average_transaction_value = serializers.CharField(allow_null=True)
    rates_as_of = serializers.DateField(allow_null=True, help_text="Null if nothing was converted.")
    by_currency = LineAnswer(many=True)


class CategoryAnswer(serializers.Serializer[Any]):
    category = serializers.CharField(allow_null=True, help_text="Null: no category.")
    total_transactions = serializers.IntegerField()
    by_currency = LineAnswer(many=True)


class FoundAnswer(AnalyticsAnswer):
    """The analytics figures of the transactions that the filters find."""

    user_id = serializers.IntegerField(
        allow_null=True, help_text="Null if the transactions are everybody's."
    )
    by_category = CategoryAnswer(many=True, help_text="Ordered by name, null last.")


class SeriesRow(serializers.Serializer[Any]):
    start = serializers.DateField(help_text="The interval's first day; weeks begin on Monday.")
    total_transactions = serializers.IntegerField()
    by_currency = LineAnswer(many=True)


class SeriesAnswer(serializers.Serializer[Any]):
    user_id = serializers.IntegerField()
    interval = serializers.CharField()
    period = PeriodAnswer()
    results = SeriesRow(many=True)
