"""The OpenAPI schema is correct: the service answers every request as it says."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
import yaml
from django.core import signals
from django.core.management import call_command
from django.db import close_old_connections
from hypothesis import HealthCheck, settings
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from fido.wsgi import application
from tests.client import ApiClient
from tests.document import resolved

CONFIG = SchemathesisConfig(
    projects=ProjectsConfig(
        default=ProjectConfig(generation=GenerationConfig(deterministic=True, database="none"))
    )
)
schema = schemathesis.openapi.from_wsgi(
    "/api/schema", application, headers={"Accept": "application/json"}, config=CONFIG
)
# Every run is the same: a suite that people wait for must not fail at random.
bounded = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Like Django's own client, so that a request leaves the test's connection open."""
    ends = (signals.request_started, signals.request_finished)
    for end in ends:
        end.disconnect(close_old_connections)
    yield
    for end in ends:
        end.connect(close_old_connections)


@pytest.mark.parametrize("who", ["ada", "staff"])
@schema.parametrize()
@bounded
def test_every_answer_is_one_that_the_schema_names(
    case: schemathesis.Case, who: str, request: pytest.FixtureRequest, db: None
) -> None:
    client: ApiClient = request.getfixturevalue(who)
    # The schema cannot express all rules: a day together with a start, a name that is taken.
    excluded: list[Any] = [positive_data_acceptance]
    rows_stand_alone = (case.query or {}).get("atomic") == "false"
    if rows_stand_alone:  # a bad row is refused in the answer
        excluded.append(negative_data_rejection)
    # A Host that is none is refused before any route is looked for, so no operation names that 400.
    headers = {"Authorization": f"Bearer {client.token}", "Host": "localhost"}
    answer = case.call_and_validate(headers=headers, excluded_checks=excluded)
    if rows_stand_alone and answer.status_code == 200 and case.meta:
        assert case.meta.generation.mode.is_positive or answer.json()["refused"]


def test_the_schema_is_valid_and_nothing_in_it_was_guessed(capsys: pytest.CaptureFixture) -> None:
    call_command("spectacular", validate=True, fail_on_warn=True)

    operations = [
        operation
        for path in yaml.safe_load(capsys.readouterr().out)["paths"].values()
        for operation in path.values()
    ]
    assert len({operation["operationId"] for operation in operations}) == len(operations)


def test_every_refusal_in_the_schema_is_a_problem() -> None:
    shared = schema.raw_schema["components"]["responses"]
    paths = schema.raw_schema["paths"].values()
    for operation in (operation for path in paths for operation in path.values()):
        for status, answer in operation["responses"].items():
            if status >= "400":
                known = shared.get(answer.get("$ref", "").rpartition("/")[2], answer)
                assert list(known["content"]) == ["application/problem+json"]


def test_the_schema_says_what_a_key_needs() -> None:
    assert {
        name: (scheme["scheme"], scheme["bearerFormat"])
        for name, scheme in schema.raw_schema["components"]["securitySchemes"].items()
    } == {"bearer": ("bearer", "JWT"), "key": ("bearer", "fido_…")}
    for path, operations in schema.raw_schema["paths"].items():
        for operation in operations.values():
            security = operation.get("security", [])
            by_key, by_login = ({scheme: []} in security for scheme in ("key", "bearer"))
            refusal = operation["responses"].get("403", {"description": ""})
            said = resolved(refusal)["description"]
            assert ("A key needs the scope `" in said) == by_key, path
            assert ("No key may do this." in said) == (by_login and not by_key), path
