"""How the fields of our own look in the OpenAPI document. drf-spectacular finds these classes
because they exist.
"""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.plumbing import ResolvedComponent

from fido.lib.api.schema import Json
from fido.lib.values import money


class MoneySchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A request may send a string or a number; an answer has a string."""

    target_class = "fido.lib.api.serializers.MoneyField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Json:
        field = self.target
        text = {"type": "string", "pattern": field.pattern, "example": field.example}
        if direction == "response":
            return text
        return {"oneOf": [text | {"maxLength": 64}, {"type": "number"}]}


class MomentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A request may send a date alone; an answer has a time."""

    target_class = "fido.lib.api.serializers.MomentField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Json:
        time = {"type": "string", "format": "date-time", "example": "2026-01-31T12:00:00Z"}
        if direction == "response":
            return time
        return {"anyOf": [time, {"type": "string", "format": "date"}]}


class CurrencySchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A request has a code of today's list, which is one component. A recorded one may have been
    withdrawn since, so an answer may have any code.
    """

    target_class = "fido.lib.api.serializers.CurrencyField"

    def map_serializer_field(self, auto_schema: Any, direction: str) -> Json:
        if direction == "response":
            return {"type": "string", "pattern": "^[A-Z]{3}$", "example": "USD"}
        codes = ResolvedComponent(  # type: ignore[no-untyped-call]
            name="Currency",
            type=ResolvedComponent.SCHEMA,
            schema={
                "type": "string",
                "description": "ISO 4217; see `GET /currencies`.",
                "enum": sorted(money.CURRENCIES),
            },
            object="Currency",
        )
        auto_schema.registry.register_on_missing(codes)
        return codes.ref
