"""The OpenAPI document, as it is served."""

import json
from collections.abc import Iterator
from typing import Any

from fido.lib.api.schema.view import copy_of

Json = dict[str, Any]
DOCUMENT: Json = json.loads(copy_of("json").body)


def operations() -> Iterator[tuple[str, str, Json]]:
    """Method, path and description of each operation."""
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolved(part: Json) -> Json:
    """What a reference leads to, or the part itself."""
    if "$ref" not in part:
        return part
    found: Any = DOCUMENT
    for name in part["$ref"].removeprefix("#/").split("/"):
        found = found[name]
    return resolved(found)


def parameters_of(operation: Json) -> list[Json]:
    return [resolved(parameter) for parameter in operation.get("parameters", [])]
