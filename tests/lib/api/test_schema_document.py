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


def test_two_of_the_same_name_and_place_are_two_components() -> None:
    one, other = query("id", type="string"), query("id", type="integer")

    document = shared(one, other, one, other)

    references = [{"$ref": f"#/components/parameters/{name}"} for name in ("IdQuery", "IdQueryToo")]
    assert places(document) == references * 2
    assert document["components"]["parameters"] == {"IdQuery": one, "IdQueryToo": other}


def test_a_refusal_of_several_operations_is_named_after_what_it_says() -> None:
    refusal = {"description": "A key needs the scope `users:read`.", "content": {}}
    paths: Json = {
        "/": {
            "get": {"responses": {"403": dict(refusal), "409": {"description": "Taken."}}},
            "put": {"responses": {"403": dict(refusal)}},
        }
    }

    document = share_components({"paths": paths, "components": {"schemas": {}}}, None)

    assert document["components"]["responses"]["AKeyNeedsTheScopeUsersRead"] == refusal
    reference = {"$ref": "#/components/responses/AKeyNeedsTheScopeUsersRead"}
    assert paths["/"]["put"]["responses"] == {"403": reference}
    assert paths["/"]["get"]["responses"]["409"] == {"description": "Taken."}


def test_null_is_one_of_the_alternatives() -> None:
    moment = {"anyOf": [{"type": "string"}, {"type": "integer"}], "nullable": True}

    document = shared(Key={"properties": {"until": moment}})

    (schema,) = document["components"]["schemas"]["Key"]["properties"].values()
    assert schema == {"anyOf": [{"type": "string", "nullable": True}, {"type": "integer"}]}


def test_an_order_has_names_that_a_generator_can_use() -> None:
    document = shared(Order={"type": "string", "enum": ["-time", "time"]})

    names = document["components"]["schemas"]["Order"]["x-enum-varnames"]
    assert names == ["TIME_DESCENDING", "TIME"]
