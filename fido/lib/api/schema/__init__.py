"""The OpenAPI document. This module has what viewsets use to describe themselves.

`operations` describes an operation, `fields` the fields of our own, `answers` the refusals that all
routes share, `document` the document as a whole, and `view` serves it.
"""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from fido.lib.api.idempotency import HEADER, MAX_KEY_LENGTH

Json = dict[str, Any]

# For `@extend_schema(parameters=…)`. The answers that they lead to are added by `operations`.
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


def etag_on(*statuses: int) -> OpenApiParameter:
    """The header `ETag` on answers with these statuses."""
    return _header("ETag", statuses, "For `If-Match` and `If-None-Match`.")


def location_on(*statuses: int) -> OpenApiParameter:
    """The header `Location` on answers with these statuses."""
    return _header("Location", statuses, "The URL of the new record.")


def _header(name: str, statuses: tuple[int, ...], description: str) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        str,
        OpenApiParameter.HEADER,
        response=list(statuses),
        required=True,
        description=description,
    )


# For every GET that is not a stream.
CONDITIONAL = [IF_NONE_MATCH, etag_on(200)]


def example(name: str, value: Any, **options: Any) -> OpenApiExample:
    """A body that the service accepts as it is; a test sends each."""
    return OpenApiExample(name, value=value, request_only=True, **options)


def one_of(words: Iterable[str]) -> str:
    """The words that an answer may have today, in a sentence. A request's words are an enum."""
    return f"One of {', '.join(f'`{word}`' for word in words)}; others may follow."


def path_parameter(schema: Json, example: Any, description: str) -> Json:
    """For `BaseViewSet.path_parameters`."""
    return {"schema": schema, "example": example, "description": description}
