"""Each operation: what follows from its route need not be said by its viewset."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import get_doc, is_list_serializer

from fido.lib.api import scopes
from fido.lib.api.idempotency import HEADER
from fido.lib.api.schema import (
    CONDITIONAL,
    IDEMPOTENCY_KEY,
    Json,
    fields,  # noqa: F401 - drf-spectacular finds what has been imported
)
from fido.lib.api.schema.answers import CONTENT, standard
from fido.lib.api.serializers import StrictSerializer

BY_HEADER = {
    HEADER: ("KeyInProgress", "KeyReused"),
    "If-Match": ("Changed",),
    "If-None-Match": ("NotModified",),
}


class OperationSchema(AutoSchema):
    """Adds the refusals, the query and rows of a list, and what the parts of a path mean."""

    view: Any

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation:
            answers = operation["responses"]
            if self.view.get_authenticators():
                scopes.describe(self.view, self.method, answers)
            for status, answer in answers.items():
                if status >= "400":
                    answer["content"] = CONTENT
                answer["description"] = answer["description"] or HTTPStatus(int(status)).phrase
            shared = standard(*self._refusals(operation))
            operation["responses"] = dict(sorted((shared | answers).items()))
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

    def _resolve_path_parameters(self, variables: list[str]) -> list[Json]:
        known = self.view.path_parameters
        return [{"in": "path", "name": name, "required": True} | known[name] for name in variables]

    def get_description(self) -> str:  # type: ignore[override]
        # The docstrings of viewsets, and of what they share, are for developers, not for clients.
        return "" if self._action.__module__.startswith("fido.lib.") else get_doc(self._action)

    def get_override_parameters(self) -> list[Any]:
        if self._is_paged:
            return [self.view.query_class, *CONDITIONAL]
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
        """The app's name, unless the operation says another one."""
        return [self.view.__module__.partition(".api")[0].rpartition(".")[2].capitalize()]

    def _refusals(self, operation: Json) -> list[str]:
        """The names of the standard answers that the route can give."""
        names = ["TooManyRequests", "Unavailable", "NotAcceptable"]
        parameters = operation.get("parameters", [])
        places = {parameter["in"] for parameter in parameters}
        if "requestBody" in operation:
            names += ["BadRequest" if "query" in places else "BadBody", "TooLarge", "NotJson"]
        elif "query" in places:
            names.append("BadParameter")
        if "path" in places:
            names.append("NotFound")
        if self.view.get_authenticators() or "auth" in self.path:
            names.append("Unauthorized")
        for parameter in parameters:
            names += BY_HEADER.get(parameter["name"], ())
        return names


def _main(serializers: Any) -> Any:
    """The serializer of the answer on success."""
    if isinstance(serializers, dict) and serializers:
        return serializers[min(serializers, key=str)]
    return serializers
