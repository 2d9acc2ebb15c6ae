"""The OpenAPI schema lists the refusals of each route."""

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc, is_list_serializer
from drf_spectacular.utils import OpenApiParameter

from fido.lib.api import scopes
from fido.lib.api.idempotency import HEADER, MAX_KEY_LENGTH
from fido.lib.api.serializers import StrictSerializer

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "code": {"type": "string", "description": "Stable: branch on this."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where in the body (RFC 6901)."},
                    "parameter": {"type": "string", "description": "Which query parameter."},
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}
MEDIA_TYPE = "application/problem+json"
ANYWHERE = {"429": "Too many requests.", "503": "The database did not answer, or is busy."}
WITH_BODY = {
    "400": "The body has errors.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
}

# For `@extend_schema(parameters=…)`. The answers that they lead to are added below.
IDEMPOTENCY_KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"},
    OpenApiParameter.HEADER,
    description="The first answer to this key is stored for a day and replayed with"
    " `Idempotent-Replayed: true`.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, description="Only if the record has this ETag."
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="The ETag that the client has."
)
BY_HEADER = {
    HEADER: {
        "409": "A request with this Idempotency-Key is in progress.",
        "422": "This Idempotency-Key was used for another request.",
    },
    "If-Match": {"412": "The record has changed since it was read."},
    "If-None-Match": {"304": "The client already has this answer."},
}


def etag_on(*statuses: int) -> OpenApiParameter:
    """The header `ETag` on answers with these statuses."""
    return OpenApiParameter(
        "ETag", str, OpenApiParameter.HEADER, response=list(statuses), description="For `If-Match`."
    )


class ProblemAwareSchema(AutoSchema):
    """Adds what follows from the route: the problem answers, and the query and rows of a list."""

    view: Any

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            answers = operation["responses"]
            for status, description in sorted(self._refusals(operation).items()):
                answers.setdefault(status, {"description": description})
            if not self._is_open():
                scopes.describe(self.view, self.method, answers)
            for status in answers:
                if status >= "400":
                    answers[status]["content"] = {MEDIA_TYPE: {"schema": PROBLEM}}
        return operation

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Any:
        schema = super()._map_basic_serializer(serializer, direction)  # type: ignore[no-untyped-call]
        if direction == "request" and isinstance(serializer, StrictSerializer):
            schema["additionalProperties"] = False
        return schema

    def _unwrap_list_serializer(self, serializer: Any, direction: Any) -> Any:
        schema: Any = super()._unwrap_list_serializer(serializer, direction)
        if direction == "request" and getattr(serializer, "max_length", None):
            schema |= {"minItems": 1, "maxItems": serializer.max_length}
        return schema

    def get_description(self) -> str:  # type: ignore[override]
        # The docstrings of viewsets, and of what they share, are for developers, not for clients.
        return "" if self._action.__module__.startswith("fido.lib.") else get_doc(self._action)

    def get_override_parameters(self) -> list[Any]:
        if self._is_paged:
            return [self.view.query_class]
        return [IDEMPOTENCY_KEY] if hasattr(self._action, "takes_key") else []

    def get_response_serializers(self) -> Any:
        if self._is_paged:
            return self.view.serializer_class(many=True)
        return super().get_response_serializers()

    @property
    def _is_paged(self) -> bool:
        """Whether this is the `list` of a ListMixin."""
        return self.view.action == "list" and hasattr(self.view, "query_class")

    @property
    def _action(self) -> Any:
        return getattr(self.view, self.view.action)

    def _is_list_view(self, serializer: Any = None) -> bool:
        # Not every `list` returns a page: the rates are one record.
        return is_list_serializer(_main(serializer))

    def get_tags(self) -> list[str]:
        return [self.view.__module__.partition(".")[0]]

    def _refusals(self, operation: dict[str, Any]) -> dict[str, str]:
        refusals: dict[str, str] = ANYWHERE | {"406": "The answer is JSON only."}
        parameters = operation.get("parameters", [])
        if "requestBody" in operation:
            refusals |= WITH_BODY
        if any(parameter["in"] == "query" for parameter in parameters):
            what = "The body or a parameter" if "400" in refusals else "A parameter"
            refusals |= {"400": f"{what} has errors."}
        if any(parameter["in"] == "path" for parameter in parameters):
            refusals |= {"404": "There is no such record, or it is not yours."}
        if not self._is_open() or "auth" in self.path:
            refusals |= {"401": "No valid token, or wrong credentials."}
        for parameter in parameters:
            refusals |= BY_HEADER.get(parameter["name"], {})
        return refusals

    def _is_open(self) -> bool:
        return not self.view.get_authenticators()


def _main(serializers: Any) -> Any:
    """The serializer of the answer on success."""
    if isinstance(serializers, dict) and serializers:
        return serializers[min(serializers, key=str)]
    return serializers


class MoneySchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A request may send a string or a number; an answer has a string."""

    target_class = "fido.lib.api.serializers.MoneyField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        field = self.target
        text = {"type": "string", "pattern": field.pattern, "example": field.example}
        if direction == "response":
            return text
        return {"oneOf": [text | {"maxLength": 64}, {"type": "number"}]}


class MomentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A request may send a date alone; an answer has a time."""

    target_class = "fido.lib.api.serializers.MomentField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: Any, direction: str) -> dict[str, Any]:
        time = {"type": "string", "format": "date-time", "example": "2026-01-31T12:00:00Z"}
        if direction == "response":
            return time
        return {"anyOf": [time, {"type": "string", "format": "date"}]}
