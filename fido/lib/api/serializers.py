"""Serializer parts that all apps use: strict about fields, exact about money and time."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from itertools import islice
from typing import Any, Generic, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.serializer_helpers import BindingDict

from fido.lib.api.problems import MAX_ERRORS, QueryInvalid
from fido.lib.values import clock, money

T = TypeVar("T")


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields, so that a typo is never silently ignored."""

    @cached_property
    def fields(self) -> BindingDict:
        # Otherwise DRF copies the declared fields for each body, which takes longer than to check
        # it. No field may depend on `self.context`.
        shared = self.parent is None and not self.partial
        return _fields_of(type(self)) if shared else super().fields

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        known = {name for name, field in self.fields.items() if not field.read_only}
        if unknown := list(islice((name for name in data if name not in known), MAX_ERRORS)):
            raise serializers.ValidationError(
                {name: serializers.ErrorDetail("Unknown field.", "unknown") for name in unknown}
            )
        return values


@cache
def _fields_of(shape: type[StrictSerializer]) -> BindingDict:
    """The fields of a serializer that is never used. Checking a value changes no field."""
    unused = shape()
    fields = BindingDict(unused)
    for name, field in unused.get_fields().items():
        fields[name] = field
    return fields


class QuerySerializer(StrictSerializer):
    """Checks the query string; its errors name the parameter."""

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """The checked parameters.

        Raises:
            QueryInvalid: an unknown parameter, a bad value, or a repeated parameter: it is unclear
                which value was meant.
        """
        for name, values in request.query_params.lists():
            if len(values) > 1:
                raise QueryInvalid(
                    {name: serializers.ErrorDetail("Given more than once.", "repeated")}
                )
        serializer = cls(data=request.query_params.dict())
        if not serializer.is_valid():
            raise QueryInvalid(serializer.errors)
        return dict(serializer.validated_data)


class ParsedField(serializers.Field[Any, Any, Any, Any], Generic[T]):
    """A field whose rule is a function of fido.lib that raises ValueError."""

    parse: Callable[[object], T]

    def to_internal_value(self, data: Any) -> T:
        try:
            return type(self).parse(data)
        except ValueError as error:
            raise serializers.ValidationError(
                str(error), code=getattr(error, "code", "invalid")
            ) from None

    def to_representation(self, value: Any) -> Any:
        return value


class MoneyField(ParsedField[Decimal]):
    """A positive amount; the serializer checks the currency's decimals."""

    parse = staticmethod(money.parse)
    # For the schema.
    pattern, example = r"^[0-9]+(\.[0-9]+)?$", "100.00"


class SignedMoneyField(MoneyField):
    """An amount to add, or a negative one to withdraw."""

    parse = staticmethod(money.parse_signed)
    pattern, example = r"^-?[0-9]+(\.[0-9]+)?$", "-10.00"


class HeldMoneyField(MoneyField):
    """The balance of a currency: zero or more."""

    parse = staticmethod(money.parse_held)


class MomentField(ParsedField[datetime]):
    """A time, or a date meaning its midnight; parsed into UTC."""

    parse = staticmethod(clock.parse_moment)


@extend_schema_field(OpenApiTypes.DATE)
class DayField(ParsedField[Any]):
    parse = staticmethod(clock.parse_day)


class EndField(MomentField):
    """The end of a period, exclusive; a date includes that whole day."""

    parse = staticmethod(clock.parse_end)  # type: ignore[assignment]


@extend_schema_field(OpenApiTypes.BOOL)
class FlagField(ParsedField[bool]):
    """A parameter that is `true` or `false`, and none of the other words that DRF accepts."""

    @staticmethod
    def parse(value: object) -> bool:
        if value not in {"true", "false"}:
            raise ValueError("Either true or false.")
        return value == "true"


class Text(serializers.CharField):
    """Text only: DRF's own field would convert a number."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class EmailField(Text, serializers.EmailField):
    """Text with the syntax of an e-mail address."""


class ChoiceField(serializers.ChoiceField):
    """One of a few words."""

    # DRF's message repeats the value, which may be a misplaced name or impossible to encode.
    default_error_messages = {"invalid_choice": "Not one of the choices."}


class CurrencyField(serializers.Field[str, Any, str, Any]):
    """An ISO 4217 code that has a minor unit, in capitals."""

    # Not a ChoiceField: DRF copies its fields for each request, and 160 choices take 0.8 ms.
    default_error_messages = {"invalid_choice": "Not an ISO 4217 currency code."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or data not in money.CURRENCIES:
            self.fail("invalid_choice")
        return data

    def to_representation(self, value: str) -> str:
        return value


@extend_schema_field({"type": "array", "items": {"$ref": "#/components/schemas/ProblemError"}})
class ProblemErrors(serializers.ListField):
    """The errors of one part of a body, in an answer about the whole."""


class PeriodSerializer(QuerySerializer):
    """`start <= t < end`. A date as `end` includes that whole day."""

    start = MomentField(required=False, help_text="Included; a date means its midnight.")
    end = EndField(required=False, help_text="Excluded; a date means that whole day.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs["period"] = period = clock.Period(attrs.pop("start", None), attrs.pop("end", None))
        if period.start and period.end and self._ends_before(period.start, period.end):
            raise serializers.ValidationError({"end": "The end is before the start."})
        return attrs

    def _ends_before(self, start: datetime, end: datetime) -> bool:
        # A day that ends where the start is lies entirely before it. A time may equal the start.
        return end <= start if clock.is_day(self.initial_data["end"]) else end < start
