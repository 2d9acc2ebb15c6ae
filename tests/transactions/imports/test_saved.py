"""`/imports/mappings`: kept by their owner, found again by the columns of a file."""

from pathlib import Path
from typing import Any

import pytest

from tests.client import ApiClient
from tests.factories import UserFactory
from tests.imports import imported, upload
from tests.transactions.mappings.files import CARD, content
from transactions.imports import saved
from transactions.imports.models import SavedMapping

pytestmark = pytest.mark.django_db(transaction=True)
BODY: dict[str, Any] = {"name": "my-card", "mapping": CARD}
COLUMNS = ("Check Number", "Date", "Description", "Amount", "Category", "Comments")
# All of the file's columns, so that it is recognised.
WHOLE: dict[str, Any] = {
    "columns": {name: CARD["columns"].get(name, {"role": "ignore"}) for name in COLUMNS},
    "constants": {"transaction_type": "debit"},
}


@pytest.fixture
def bob(db: None) -> ApiClient:
    return ApiClient(UserFactory.create())


@pytest.fixture(autouse=True)
def folder(spool_folder: Path) -> Path:
    return spool_folder


def save(client: ApiClient, **changes: Any) -> Any:
    return client.post("/imports/mappings", BODY | changes)


def test_one_is_saved_read_replaced_and_deleted(ada: ApiClient) -> None:
    answer = save(ada)
    assert answer.status_code == 201
    path = answer.headers["Location"].split("/api/v1", 1)[1]
    assert path == "/imports/mappings/my-card"
    assert ada.get(path).json()["mapping"] == CARD
    assert [each["name"] for each in ada.get("/imports/mappings").json()["results"]] == ["my-card"]

    replaced = ada.put(path, {"name": "other", "mapping": WHOLE})

    assert replaced.status_code == 200
    assert replaced.json()["mapping"] == WHOLE
    assert ada.get(path).status_code == 404
    assert ada.delete("/imports/mappings/other").status_code == 204
    assert ada.get("/imports/mappings").json()["results"] == []


def test_an_upload_may_name_one(ada: ApiClient) -> None:
    save(ada)

    row = imported(ada, content("creditunion.csv"), mapping="my-card")

    assert (row.rows_created, row.layout["is_guessed"]) == (8, False)


def test_a_file_with_exactly_its_columns_is_recognised(ada: ApiClient) -> None:
    save(ada, name="some")
    assert upload(ada, content("creditunion.csv")).status_code == 400

    save(ada, mapping=WHOLE)

    assert imported(ada, content("creditunion.csv")).rows_created == 8


@pytest.mark.parametrize("encoding", ["cp437", "utf-8"])
def test_a_file_that_is_recognised_is_in_the_mappings_encoding_unless_it_is_unicode(
    ada: ApiClient, encoding: str
) -> None:
    columns = {"Date": {"role": "transaction_date"}, "Amount": {"role": "signed_amount"}}
    columns["What"] = {"role": "description"}
    save(ada, mapping={"columns": columns, "encoding": "cp437"})

    row = imported(ada, "Date,Amount,What\n2026-01-31,-5,Käse\n".encode(encoding))

    assert row.layout["encoding"] == encoding
    assert ada.get("/transactions").json()["results"][0]["description"] == "Käse"


def test_ones_own_counts_more_than_what_comes_with_fido(ada: ApiClient) -> None:
    mapping = upload(ada, content("chase.csv")).json()["mapping"]
    mapping["columns"]["Amount"]["negate"] = True
    save(ada, mapping=mapping)

    imported(ada, content("chase.csv"))

    kinds = {
        each["transaction_amount"]: each["transaction_type"]
        for each in ada.get("/transactions").json()["results"]
    }
    assert kinds == {"42.13": "credit", "500.00": "debit"}


def test_nobody_sees_or_uses_anothers(ada: ApiClient, bob: ApiClient) -> None:
    save(ada, mapping=WHOLE)
    path = "/imports/mappings/my-card"

    assert bob.get("/imports/mappings").json()["results"] == []
    assert bob.get(path).status_code == 404
    assert bob.put(path, BODY).status_code == 404
    assert bob.delete(path).status_code == 404
    assert upload(bob, content("creditunion.csv")).status_code == 400
    assert upload(bob, content("creditunion.csv"), mapping="my-card").status_code == 400
    assert ada.get(path).status_code == 200


@pytest.mark.parametrize("name", ["", "Upper", "a b", "a/b", ".", "-a", "ä", "x" * 51])
def test_a_name_fits_a_path(ada: ApiClient, name: str) -> None:
    assert save(ada, name=name).status_code == 400
    assert not SavedMapping.objects.exists()


def test_a_mapping_with_faults_is_refused_with_all_of_them(ada: ApiClient) -> None:
    answer = save(ada, mapping={"columns": {"a": {"role": "x"}}, "decimal": "x"})

    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/mapping"
    assert "has a `role`" in error["detail"]
    assert "`decimal` is" in error["detail"]


def test_a_name_is_given_once(ada: ApiClient, bob: ApiClient) -> None:
    assert save(ada).status_code == save(bob).status_code == 201

    again = save(ada)

    assert (again.status_code, again.json()["errors"][0]["code"]) == (400, "taken")
    assert save(ada, name="other").status_code == 201
    renamed = ada.put("/imports/mappings/other", BODY)
    assert (renamed.status_code, renamed.json()["errors"][0]["code"]) == (400, "taken")


def test_a_write_may_be_bound_to_what_was_read(ada: ApiClient) -> None:
    save(ada)
    path = "/imports/mappings/my-card"
    tag = ada.get(path).headers["ETag"]
    assert ada.put(path, {"name": "my-card", "mapping": WHOLE}).status_code == 200

    for method in ("put", "delete"):
        late = ada.request(method, path, BODY, HTTP_IF_MATCH=tag)
        assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    assert ada.get(path).json()["mapping"] == WHOLE


def test_there_is_a_limit(ada: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved, "MAX_SAVED", 1)
    save(ada)

    answer = save(ada, name="other")

    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-mappings")


def test_an_import_keeps_its_own_copy(ada: ApiClient) -> None:
    save(ada)
    told = upload(ada, content("creditunion.csv"), mapping="my-card").json()

    ada.delete("/imports/mappings/my-card")

    assert ada.get(f"/imports/{told['id']}").json()["mapping"] == told["mapping"]


def test_one_that_is_no_longer_valid_stops_only_what_names_it(ada: ApiClient) -> None:
    save(ada)
    SavedMapping.objects.update(mapping={"columns": {}})

    assert upload(ada, content("chase.csv")).status_code == 202
    assert upload(ada, content("chase.csv"), mapping="my-card").status_code == 400
