"""Shapes of the analytics routes."""

from datetime import date
from typing import Any

from rest_framework import serializers

from analytics.headline import headline
from analytics.queries import Interval, Line, Summary
from fido.lib import clock, money
from fido.lib.clock import Period
from fido.lib.serializers import ChoiceField, CurrencyField, DayField, PeriodSerializer


class AnalyticsQuery(PeriodSerializer):
    """The period: `start` and `end`, or one day as `transaction_date`."""

    transaction_date = DayField(required=False)
    currency = CurrencyField(required=False, help_text="The reporting currency.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        day = attrs.pop("transaction_date", None)
        if day and ("start" in attrs or "end" in attrs):
            message = "Either one day or a start and an end."
            raise serializers.ValidationError({"transaction_date": message})
        attrs = super().validate(attrs)
        return attrs | {"period": clock.whole_day(day)} if day else attrs


class SeriesQuery(PeriodSerializer):
    interval = ChoiceField(choices=["day", "week", "month"])


class PeriodAnswer(serializers.Serializer[Any]):
    start = serializers.DateTimeField(allow_null=True)
    end = serializers.DateTimeField(allow_null=True)


class TotalsAnswer(serializers.Serializer[Any]):
    currency = serializers.CharField()
    total_transactions = serializers.IntegerField()
    total_credit = serializers.CharField()
    total_debit = serializers.CharField()


class LineAnswer(TotalsAnswer):
    average_transaction_value = serializers.CharField()


class AnalyticsAnswer(serializers.Serializer[Any]):
    """Headline amounts in `currency`, converted at the mid rates of the day `rates_as_of`.

    They are null where a rate is missing. `by_currency` is exact.
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
    rates_as_of = serializers.DateField(
        allow_null=True, help_text="Null where nothing was converted."
    )
    by_currency = LineAnswer(many=True)


class SeriesRow(serializers.Serializer[Any]):
    start = serializers.DateField(help_text="The interval's first day; weeks begin on Monday.")
    total_transactions = serializers.IntegerField()
    by_currency = TotalsAnswer(many=True)


class SeriesAnswer(serializers.Serializer[Any]):
    user_id = serializers.IntegerField()
    interval = serializers.CharField()
    period = PeriodAnswer()
    results = SeriesRow(many=True)


def analytics_answer(
    user_id: int, summary: Summary, period: Period, currency: str | None
) -> dict[str, Any]:
    """The analytics body. With no currency asked for, a single one that was used, or the user's."""
    used = summary.lines[0].currency if len(summary.lines) == 1 else summary.currency
    reporting = currency or used
    day, day_count = summary.busiest or (None, 0)
    return {
        "user_id": user_id,
        "full_name": summary.full_name,
        "period": period_answer(period),
        "total_transactions": summary.count,
        "busiest_day": day and day.isoformat(),
        "busiest_day_transactions": day_count,
        "currency": reporting,
        **headline(summary.lines, reporting),
        "by_currency": [_line_answer(line) for line in summary.lines],
    }


def series_answer(
    user_id: int, rows: dict[date, list[Line]], period: Period, interval: Interval
) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "interval": interval,
        "period": period_answer(period),
        "results": [
            {
                "start": start.isoformat(),
                "total_transactions": sum(line.count for line in lines),
                "by_currency": [_totals_answer(line) for line in lines],
            }
            for start, lines in rows.items()
        ],
    }


def period_answer(period: Period) -> dict[str, str | None]:
    return {
        "start": clock.text(period.start) if period.start else None,
        "end": clock.text(period.end) if period.end else None,
    }


def _totals_answer(line: Line) -> dict[str, Any]:
    return {
        "currency": line.currency,
        "total_transactions": line.count,
        "total_credit": money.text(line.credit, line.currency),
        "total_debit": money.text(line.debit, line.currency),
    }


def _line_answer(line: Line) -> dict[str, Any]:
    average = money.divided(money.added(line.credit, line.debit), line.count)
    return _totals_answer(line) | {"average_transaction_value": money.text(average, line.currency)}
