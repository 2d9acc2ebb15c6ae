"""Serializer parts that all apps use: strict about fields, exact about money and time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache, cached_property
from itertools import islice
from typing import Any, Generic, TypeVar, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.utils.serializer_helpers import BindingDict

from fido.lib.api.problems import MAX_ERRORS, QueryInvalid
from fido.lib.values import clock, money
from fido.lib.values.words import NotAChoice, instead, parse_choice

T = TypeVar("T")
Errors = dict[str, Any]
# Of the unknown names in a body. A bulk has thousands of bodies, and comparing names takes time.
MAX_HINTS = 3


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields, so that a typo is never silently ignored."""

    @cached_property
    def fields(self) -> BindingDict:
        # Otherwise DRF copies the declared fields for each body, which takes longer than to check
        # it. No field may depend on `self.context`.
        shared = self.parent is None and not self.partial
        return _fields_of(type(self)) if shared else super().fields

    # What one of its members is called in messages.
    member = "field"

    def to_internal_value(self, data: Any) -> Any:
        unknown = self._unknown(data) if isinstance(data, Mapping) else {}
        try:
            values = super().to_internal_value(data)
        except serializers.ValidationError as error:
            # So that one answer has all that is wrong.
            raise serializers.ValidationError(unknown | cast("Errors", error.detail)) from None
        if unknown:
            raise serializers.ValidationError(unknown)
        return values

    def _unknown(self, data: Mapping[str, Any]) -> Errors:
        known = [name for name, field in self.fields.items() if not field.read_only]
        names = islice((name for name in data if name not in known), MAX_ERRORS)
        return {name: [self._unlike(name, known, n)] for n, name in enumerate(names)}

    def _unlike(self, name: str, known: list[str], n: int) -> serializers.ErrorDetail:
        if name in self.fields:
            return serializers.ErrorDetail("The service sets this field.", "unknown")
        hint = f" {instead(name, known)}" if n < MAX_HINTS else ""
        return serializers.ErrorDetail(f"Unknown {self.member}.{hint}", "unknown")


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

    member = "parameter"

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

    def to_internal_value(self, data: Any) -> str:
        # DRF's own message repeats the value.
        try:
            return parse_choice(data, self.choices)
        except NotAChoice as error:
            raise serializers.ValidationError(str(error), error.code) from None


class CurrencyField(ParsedField[str]):
    """An ISO 4217 code that has a minor unit; answered in capitals."""

    # Not a ChoiceField: DRF copies its fields for each request, and 160 choices take 0.8 ms.
    parse = staticmethod(money.parse_currency)


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
