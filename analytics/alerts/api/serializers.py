"""Shapes of events and alerts."""

from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from analytics.alerts.models import MAX_CODE
from fido.lib.api.pagination import ListQuery
from fido.lib.api.paths import MAX_BIGINT
from fido.lib.api.serializers import (
    ChoiceField,
    MoneyField,
    ParsedField,
    PeriodSerializer,
    StrictSerializer,
)
from fido.lib.values import clock, money
from transactions.api.serializers import UserIdField

DEPOSIT = "deposit"
# The last second of the year 9999: the latest that a time can hold.
LAST_SECOND = int(clock.LAST_MOMENT.replace(microsecond=0).timestamp())

SINCE = ", in seconds since 1970-01-01T00:00:00Z"


def _whole(value: object, most: int, unit: str = "") -> int:
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"A whole number from 1 to {most}{unit}.")
    return value


def _seconds(value: object) -> datetime:
    return datetime.fromtimestamp(_whole(value, LAST_SECOND, SINCE), UTC)


@extend_schema_field(
    {"type": "integer", "minimum": 1, "maximum": LAST_SECOND, "example": 1769860800}
)
class SecondsField(ParsedField[datetime]):
    """Whole seconds since 1970-01-01T00:00:00Z; parsed into a time in UTC."""

    parse = staticmethod(_seconds)


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": MAX_BIGINT, "example": 1})
class WhoseField(ParsedField[int]):
    @staticmethod
    def parse(value: object) -> int:
        return _whole(value, MAX_BIGINT)


class EventSerializer(StrictSerializer):
    """A deposit or a withdrawal in the default currency."""

    type = ChoiceField(
        choices=[DEPOSIT, "withdraw", "withdrawal"],
        help_text="`withdrawal` is the same as `withdraw`.",
    )
    amount = MoneyField()
    user_id = WhoseField(help_text="Only staff and services may name another user.")
    time = SecondsField(help_text="Not before the user's latest event.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            money.require_decimals(attrs["amount"], str(settings.DEFAULT_CURRENCY))
        except money.MalformedAmount as error:
            detail = serializers.ErrorDetail(str(error), error.code)
            raise serializers.ValidationError({"amount": detail}) from None
        return attrs


class EventAnswer(serializers.Serializer[Any]):
    user_id = serializers.IntegerField()
    alerts = serializers.BooleanField(help_text="Whether the event raised any.")
    alert_codes = serializers.ListField(
        child=serializers.IntegerField(), help_text="In the order of the rules."
    )


class AlertSerializer(serializers.Serializer[Any]):
    """An alert is permanent: it stays when its transaction or its rule is changed."""

    id = serializers.UUIDField()
    user_id = serializers.IntegerField()
    code = serializers.IntegerField()
    transaction_id = serializers.UUIDField(help_text="It may have been deleted since.")
    time = serializers.DateTimeField(help_text="The transaction's time when it was checked.")
    created_at = serializers.DateTimeField()


class AlertsQuery(ListQuery, PeriodSerializer):
    """Which alerts; the period is about their transactions' times."""

    code = serializers.IntegerField(
        min_value=1, max_value=MAX_CODE, required=False, help_text="Raised by rules of this code."
    )
    user_id = UserIdField(help_text="Staff only.")
