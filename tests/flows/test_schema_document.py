"""The OpenAPI document: small, complete in what it says of each operation, and quickly served."""

import gzip
import json
import re
from typing import Any

import pytest
import yaml
from drf_spectacular.generators import SchemaGenerator

from fido.lib.api.pagination import Cursor
from fido.lib.api.schema import view
from fido.lib.values.money import CURRENCIES
from tests.client import ApiClient
from tests.document import DOCUMENT, operations, parameters_of, resolved

MAX_BYTES = 130_000
FORMS = ["yaml", "json"]
TAGS = {tag["name"] for tag in DOCUMENT["tags"]}


def get(anybody: ApiClient, **options: Any) -> Any:
    return anybody.request("get", "/api/schema", **options)


@pytest.mark.parametrize("form", FORMS)
def test_it_is_small(form: str) -> None:
    assert 10_000 < len(view.copy_of(form).body) < MAX_BYTES


@pytest.mark.parametrize(
    "operation", [pytest.param(each, id=each["operationId"]) for *_, each in operations()]
)
def test_an_operation_is_described(operation: dict[str, Any]) -> None:
    assert 3 < len(operation["summary"]) < 50
    assert operation["description"].endswith(".")
    assert set(operation["tags"]) < TAGS
    assert all(each["description"].endswith(".") for each in parameters_of(operation))
    assert all(resolved(answer)["description"] for answer in operation["responses"].values())
    refusals = (answer for code, answer in operation["responses"].items() if code >= "400")
    assert all("Problem" in json.dumps(resolved(answer)) for answer in refusals)


def test_each_tag_is_described_and_used() -> None:
    used = {tag for *_, operation in operations() for tag in operation["tags"]}

    assert used == TAGS
    assert all(tag["description"] for tag in DOCUMENT["tags"])


def test_what_a_created_record_is_called_is_in_the_answer() -> None:
    created = DOCUMENT["paths"]["/transactions"]["post"]["responses"]["201"]

    assert set(created["headers"]) == {"Location", "ETag"}


def test_a_cursor_has_the_form_that_the_document_gives_it() -> None:
    (cursor,) = (
        each
        for each in parameters_of(DOCUMENT["paths"]["/transactions"]["get"])
        if each["name"] == "cursor"
    )

    assert re.search(cursor["schema"]["pattern"], Cursor(("2026-01-31T12:00:00Z", "?")).encode())


def test_the_currencies_are_one_component() -> None:
    assert DOCUMENT["components"]["schemas"]["Currency"]["enum"] == sorted(CURRENCIES)
    assert json.dumps(DOCUMENT).count('"BYN"') == 1


def test_no_filter_is_filled_in_by_the_form_in_the_docs() -> None:
    for *_, operation in operations():
        for parameter in parameters_of(operation):
            if not parameter.get("required"):
                assert "example" not in json.dumps(parameter)


class TestServed:
    @pytest.mark.parametrize(
        ("accept", "query", "form", "media_type"),
        [
            ("*/*", {}, "yaml", "application/vnd.oai.openapi; charset=utf-8"),
            ("application/json", {}, "json", "application/json"),
            ("application/yaml;q=0.9", {}, "yaml", "application/yaml; charset=utf-8"),
            ("application/vnd.oai.openapi+json", {}, "json", "application/vnd.oai.openapi+json"),
            ("text/html, */*;q=0.8", {"format": "json"}, "json", "application/json"),
            ("*/*", {"format": "yaml"}, "yaml", "application/vnd.oai.openapi; charset=utf-8"),
        ],
    )
    def test_in_the_form_that_is_asked_for(
        self, anybody: ApiClient, accept: str, query: dict[str, str], form: str, media_type: str
    ) -> None:
        answer = get(anybody, HTTP_ACCEPT=accept, query_params=query)

        assert answer.status_code == 200
        assert answer["Content-Type"] == media_type
        assert answer.content == view.copy_of(form).body
        assert {"Accept", "Accept-Encoding"} <= set(answer["Vary"].split(", "))

    def test_both_forms_say_the_same(self) -> None:
        assert yaml.safe_load(view.copy_of("yaml").body) == DOCUMENT

    @pytest.mark.parametrize("form", FORMS)
    def test_compressed_for_who_takes_that(self, anybody: ApiClient, form: str) -> None:
        query = {"format": form}
        short = get(anybody, query_params=query, HTTP_ACCEPT_ENCODING="br, gzip")
        plain = get(anybody, query_params=query, HTTP_ACCEPT_ENCODING="gzip;q=0, br")

        assert short["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain
        assert gzip.decompress(short.content) == plain.content
        assert len(short.content) < len(plain.content) / 4
        assert short["ETag"] != plain["ETag"]

    @pytest.mark.parametrize("encoding", ["gzip", "identity"])
    def test_not_again_to_who_has_it(self, anybody: ApiClient, encoding: str) -> None:
        first = get(anybody, HTTP_ACCEPT_ENCODING=encoding)
        again = get(anybody, HTTP_ACCEPT_ENCODING=encoding, HTTP_IF_NONE_MATCH=first["ETag"])

        assert (again.status_code, again.content) == (304, b"")
        assert again["ETag"] == first["ETag"]
        assert "Accept-Encoding" in again["Vary"]

    def test_without_being_made_again(
        self, anybody: ApiClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        view.copy_of("json")
        monkeypatch.setattr(SchemaGenerator, "get_schema", None)

        assert get(anybody).status_code == 200

    def test_the_same_from_each_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        here = view._copies()

        assert view._copies.__wrapped__() == here

    def test_the_same_whatever_the_request(self, anybody: ApiClient, ada: ApiClient) -> None:
        elsewhere = get(anybody, HTTP_X_FORWARDED_PROTO="https", SERVER_PORT="8443")

        assert elsewhere.content == get(ada).content

    def test_an_unknown_form_is_refused(self, anybody: ApiClient) -> None:
        answer = get(anybody, query_params={"format": "xml"})

        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"

    def test_a_type_that_it_has_not_is_refused(self, anybody: ApiClient) -> None:
        assert get(anybody, HTTP_ACCEPT="image/png").status_code == 406
