"""drf-spectacular's hooks: the document as a whole.

What several operations have in common becomes a component, so that the document stays small and a
generator makes one thing of it.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from drf_spectacular.drainage import warn
from drf_spectacular.plumbing import ResolvedComponent, load_enum_name_overrides
from inflection import camelize

from fido.lib.api.schema import Json
from fido.lib.api.schema.answers import COMPONENTS


def name_enums_of_parameters(result: Json, generator: Any, **kwargs: Any) -> Json:
    """Make enums of parameters components too, as drf-spectacular does with those of bodies."""
    names = load_enum_name_overrides()  # type: ignore[no-untyped-call]
    for _, parameter in _parameters(result):
        schema = parameter["schema"]
        if "x-spec-enum-id" in schema:
            if schema["x-spec-enum-id"] not in names:
                warn(f"name the enum of {parameter['name']} in ENUM_NAME_OVERRIDES")
                continue
            enum = ResolvedComponent(  # type: ignore[no-untyped-call]
                name=names[schema.pop("x-spec-enum-id")],
                type=ResolvedComponent.SCHEMA,
                schema={name: schema.pop(name) for name in ("enum", "type")},
                object="enum",
            )
            generator.registry.register_on_missing(enum)
            schema.pop("minLength", None)
            schema["allOf"] = [enum.ref]
    return result


def share_components(result: Json, generator: Any, **kwargs: Any) -> Json:
    """The last hook."""
    components = result["components"]
    for kind, more in COMPONENTS.items():
        components[kind] = components.get(kind, {}) | more
    for schema in components["schemas"].values():
        _name_the_values(schema)
        _allow_null(schema)
    for _, parameter in _parameters(result):
        _without_misleading_example(parameter)
        if list(parameter["schema"]) == ["allOf"]:
            (parameter["schema"],) = parameter["schema"]["allOf"]
    components["parameters"] = _shared_parameters(result)
    components["headers"] |= _shared_headers(result)
    components["responses"] |= _shared_refusals(result)
    result["components"] = {
        kind: dict(sorted(named.items())) for kind, named in sorted(components.items())
    }
    return result


def _operations(result: Json) -> Iterator[Json]:
    for path in result["paths"].values():
        yield from path.values()


def _parameters(result: Json) -> Iterator[tuple[list[Json], Json]]:
    """Each parameter, with the list that it is in."""
    for operation in _operations(result):
        parameters = operation.get("parameters", [])
        for parameter in parameters:
            yield parameters, parameter


def _allow_null(schema: Any) -> None:
    """Move `nullable` to an alternative: without a type it means nothing in OpenAPI 3.0."""
    if isinstance(schema, dict):
        alternatives = schema.get("oneOf") or schema.get("anyOf")
        if alternatives and schema.pop("nullable", False):
            alternatives[0]["nullable"] = True
        for part in schema.values():
            _allow_null(part)


def _name_the_values(schema: Json) -> None:
    """Names for an order's values, which otherwise get numbers: a minus is in no identifier."""
    values = schema.get("enum", ())
    if any(value.startswith("-") for value in values):
        schema["x-enum-varnames"] = [
            f"{value[1:]}_descending".upper() if value.startswith("-") else value.upper()
            for value in values
        ]


def _without_misleading_example(parameter: Json) -> None:
    # The form in the docs sends the example of a filter, and then nothing is found.
    if parameter["in"] == "query" and not parameter.get("required"):
        schema = parameter["schema"]
        for part in (schema, *schema.get("oneOf", ()), *schema.get("anyOf", ())):
            part.pop("example", None)


def _shared_parameters(result: Json) -> Json:
    """Replace parameters that occur more than once by references, and return the components."""
    places = defaultdict[str, list[tuple[list[Json], Json]]](list)
    for parameters, parameter in _parameters(result):
        places[json.dumps(parameter, sort_keys=True)].append((parameters, parameter))
    shared = {text: found for text, found in places.items() if len(found) > 1}
    names = Counter(json.loads(text)["name"] for text in shared)
    components: Json = {}
    for text, found in shared.items():
        parameter = json.loads(text)
        place = "" if names[parameter["name"]] == 1 else f"_{parameter['in']}"
        name = camelize(parameter["name"].replace("-", "_") + place)
        while components.setdefault(name, found[0][1]) != parameter:
            name += "Too"  # what wallets and mappings are named by
        for parameters, each in found:
            parameters[parameters.index(each)] = {"$ref": f"#/components/parameters/{name}"}
    return components


def _shared_refusals(result: Json) -> Json:
    """The same for refusals that are an operation's own, such as the scope that a key needs.

    They are named after what they say, which is all that they differ in.
    """
    places = defaultdict[str, list[tuple[Json, str]]](list)
    for operation in _operations(result):
        for status, answer in operation["responses"].items():
            if status >= "400" and "$ref" not in answer:
                places[json.dumps(answer, sort_keys=True)].append((operation["responses"], status))
    components: Json = {}
    for text, found in places.items():
        if len(found) > 1:
            answer = json.loads(text)
            name = camelize("_".join(re.findall(r"\w+", answer["description"])))
            components[name] = answer
            for answers, status in found:
                answers[status] = {"$ref": f"#/components/responses/{name}"}
    return components


def _shared_headers(result: Json) -> Json:
    """The same for the headers of answers, each of which means the same everywhere."""
    components: Json = {}
    for operation in _operations(result):
        for answer in operation["responses"].values():
            for name, header in answer.get("headers", {}).items():
                components[name] = header
                answer["headers"][name] = {"$ref": f"#/components/headers/{name}"}
    return components
