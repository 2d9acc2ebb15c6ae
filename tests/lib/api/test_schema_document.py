"""What the hooks make of a document."""

from typing import Any

from fido.lib.api.schema.document import share_components

Json = dict[str, Any]


def shared(*parameters: Json, **schemas: Json) -> Json:
    """A document with an operation for each parameter, and these schemas."""
    paths = {
        f"/{number}": {"get": {"parameters": [dict(parameter)], "responses": {}}}
        for number, parameter in enumerate(parameters)
    }
    document = {"paths": paths, "components": {"schemas": schemas}}
    return share_components(document, None)


def places(document: Json) -> list[Json]:
    return [path["get"]["parameters"][0] for path in document["paths"].values()]


def query(name: str, **schema: Any) -> Json:
    return {"in": "query", "name": name, "schema": schema}


def test_a_parameter_of_several_operations_is_a_component() -> None:
    day = query("day-of-week", type="string")

    document = shared(day, query("other"), day)

    reference = {"$ref": "#/components/parameters/DayOfWeek"}
    assert places(document) == [reference, query("other"), reference]
    assert document["components"]["parameters"] == {"DayOfWeek": day}


def test_two_of_the_same_name_have_their_places_in_theirs() -> None:
    in_path = {"in": "path", "name": "id", "required": True, "schema": {"type": "integer"}}
    in_query = query("id", type="string")

    document = shared(in_path, in_path, in_query, in_query)

    assert set(document["components"]["parameters"]) == {"IdPath", "IdQuery"}


def test_a_third_one_of_the_same_name_stays_where_it_is() -> None:
    one, other = query("id", type="string"), query("id", type="integer")

    document = shared(one, other, one, other)

    reference = {"$ref": "#/components/parameters/IdQuery"}
    assert places(document) == [reference, other, reference, other]


def test_null_is_one_of_the_alternatives() -> None:
    moment = {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": True}

    document = shared(Key={"properties": {"until": moment}})

    (schema,) = document["components"]["schemas"]["Key"]["properties"].values()
    assert schema == {"anyOf": [{"type": "string", "nullable": True}, {"type": "integer"}]}


def test_an_order_has_names_that_a_generator_can_use() -> None:
    document = shared(Order={"type": "string", "enum": ["-time", "time"]})

    names = document["components"]["schemas"]["Order"]["x-enum-varnames"]
    assert names == ["TIME_DESCENDING", "TIME"]
