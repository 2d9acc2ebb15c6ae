"""Each example of the OpenAPI document works when it is sent as it is."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.client import MULTIPART_CONTENT

from accounts.models import ApiKey
from tests.client import ApiClient
from tests.document import DOCUMENT, operations, parameters_of, resolved
from tests.factories import DraftFactory, StaffFactory, UserFactory, wallet
from transactions import operations as transactions
from transactions.imports.models import Import, SavedMapping

FOR_STAFF = {"list_users", "create_customer", "create_customers"}
FOR_EMPTY_WALLETS = {"open_balance", "close_wallet"}
PATHS = DOCUMENT["paths"]


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    operation: dict[str, Any]
    media_type: str = ""
    body: Any = None

    @property
    def id(self) -> str:
        return str(self.operation["operationId"])


def _each() -> Iterator[Any]:
    for method, path, operation in operations():
        content = operation.get("requestBody", {}).get("content", {})
        if not content:
            yield pytest.param(Sent(method, path, operation), id=operation["operationId"])
        for media_type, part in content.items():
            for name, example in part["examples"].items():
                sent = Sent(method, path, operation, media_type, example["value"])
                yield pytest.param(sent, id=f"{sent.id} {name}")


@pytest.fixture
def jane(db: None) -> ApiClient:
    """The user that the examples speak of, with the records whose ids they have."""
    with connection.cursor() as cursor:  # so that nobody else gets her id
        cursor.execute("SELECT setval(pg_get_serial_sequence('accounts_user', 'id'), 1000)")
    user = UserFactory.create(id=_example("user_id", "/users/{user_id}"), username="jane")
    id_ = UUID(_example("transaction_id", "/transactions/{transaction_id}"))
    transactions.record(owner=user, draft=DraftFactory.build(), id_=id_)
    id_ = _example("import_id", "/imports/{import_id}")
    layout = {"form": "csv", "separator": ",", "columns": []}
    Import.objects.create(id=id_, user=user, created_by=user, layout=layout, size_bytes=100)
    SavedMapping.objects.create(
        user=user, name=_example("name", "/imports/mappings/{name}"), mapping={}
    )
    id_ = _example("key_id", "/users/me/keys/{key_id}")
    ApiKey.objects.create(id=id_, user=user, name="x", prefix="x", digest=b"x", scopes=[])
    return ApiClient(user)


@pytest.mark.parametrize("sent", list(_each()))
def test_an_example_is_accepted(sent: Sent, request: pytest.FixtureRequest, db: None) -> None:
    if sent.id == "register":
        client = ApiClient()
    else:
        jane = request.getfixturevalue("jane")
        if sent.id != "open_wallet":
            held = {} if sent.id in FOR_EMPTY_WALLETS else {"EUR": "100.00"}
            wallet(jane.user, "holiday", **held)
        if sent.id == "undo_import":
            Import.objects.update(status=Import.Status.DONE)
        client = ApiClient(StaffFactory.create()) if sent.id in FOR_STAFF else jane

    answer = client.request(sent.method, _url(sent), **_body(sent, client))

    assert answer.status_code == _success(sent.operation), answer
    assert not answer.streaming or answer.getvalue()


def test_each_body_has_an_example() -> None:
    bodies = [
        operation["requestBody"] for *_, operation in operations() if "requestBody" in operation
    ]

    assert len(bodies) > 10
    assert all(part["examples"] for body in bodies for part in body["content"].values())


def _example(name: str, path: str) -> Any:
    (method, *_) = PATHS[path]
    (found,) = (each for each in parameters_of(PATHS[path][method]) if each["name"] == name)
    return found["example"]


def _url(sent: Sent) -> str:
    path, query = sent.path, []
    for parameter in parameters_of(sent.operation):
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
        elif parameter.get("required"):
            # The form in the docs offers the first word.
            query.append(f"{parameter['name']}={resolved(parameter['schema'])['enum'][0]}")
    return f"{path}?{'&'.join(query)}"


def _body(sent: Sent, client: ApiClient) -> dict[str, Any]:
    if sent.body is None:
        return {}
    if sent.media_type == "multipart/form-data":
        file = SimpleUploadedFile("rows.csv", sent.body["file"].encode())
        return {"body": {**sent.body, "file": file}, "content_type": MULTIPART_CONTENT}
    body = sent.body
    if sent.id == "refresh_tokens" and client.tokens:
        # No document can hold a token that is valid; the example says which one to send.
        body = body | {"refresh_token": client.tokens.refresh_token}
    return {"body": body, "content_type": sent.media_type}


def _success(operation: dict[str, Any]) -> int:
    """The status of success; of two, which `atomic` chooses between, the default's."""
    return max(int(status) for status in operation["responses"] if status < "300")
