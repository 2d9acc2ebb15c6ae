"""No log line contains a name, address or password that a client sends."""

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.api_keys import Machine
from tests.client import ApiClient
from tests.imports import imported, upload, work
from tests.webserver import WebServer, serving

NAME, ADDRESS, PASSWORD = "Rosalind Planted", "planted@secret.example", "planted-battery-horse"
DESCRIPTION = "planted diagnosis"
PLANTED = ("Rosalind", "Planted", "planted", "secret.example")
QUERY = "?" + urlencode({"full_name": NAME})
REGISTRATION = {"username": "rosa", "email": ADDRESS, "password": PASSWORD, "full_name": NAME}
LOGIN = {"username": ADDRESS, "password": PASSWORD}
ROW = {
    "transaction_amount": "1.00",
    "transaction_type": "credit",
    "transaction_date": "2026-01-31",
    "full_name": NAME,
    "description": DESCRIPTION,
}


HEADER = "transaction_date,transaction_amount,transaction_type,full_name,description,external_id"
UPLOAD = f"""{HEADER}
2026-01-31,1.00,credit,{NAME},{DESCRIPTION},planted-1
{NAME},{NAME},{NAME},{NAME},,planted-2
"{NAME}"x,{NAME}
{NAME}
2026-01-31,1.00,credit,{NAME},{DESCRIPTION},planted-1
"{NAME}
""".encode()
FORM = b"""--b\r
Content-Disposition: form-data; name="file"; filename="Rosalind Planted.csv"\r
\r
%b\r
--b--\r
"""


# The web process has to see what the test writes.
pytestmark = pytest.mark.django_db(transaction=True)


class Visitor:
    """Sends JSON to the web server and collects the responses."""

    def __init__(self, server: WebServer) -> None:
        self.server, self.token, self.answers = server, "", [b""]

    def send(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        return self._send(method, path, data, "application/json")

    def upload(self, file: bytes) -> Any:
        return self._send("POST", "/imports", FORM % file, "multipart/form-data; boundary=b")

    def _send(self, method: str, path: str, data: bytes | None, media_type: str) -> Any:
        headers = {"Content_Type": media_type, "Authorization": f"Bearer {self.token}"}
        answer = self.server.request(method, f"/api/v1{path}", data, **headers)
        if answer.status >= 400:
            self.answers.append(answer.content)
        return answer


def assert_unspoken(server: WebServer, visitor: Visitor, *, lines: int) -> None:
    log = server.log()
    events = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    assert sum(event["event"] == "request" for event in events) >= lines
    for text in (log, b"".join(visitor.answers).decode()):
        assert [word for word in PLANTED if word in text] == []


def test_what_is_served_leaves_no_name_in_the_log() -> None:
    with serving() as server:
        visitor = Visitor(server)
        assert visitor.send("POST", "/auth/register", REGISTRATION).status == 201
        visitor.token = json.loads(visitor.send("POST", "/auth/login", LOGIN).content)[
            "access_token"
        ]
        assert visitor.send("POST", "/transactions", ROW).status == 201
        found = visitor.send("GET", f"/transactions{QUERY}")
        assert len(json.loads(found.content)["results"]) == 1
        for form in ("csv", "ndjson"):
            exported = visitor.send("GET", f"/transactions/export{QUERY}&format={form}")
            assert DESCRIPTION.encode() in exported.content

        assert_unspoken(server, visitor, lines=6)


def test_what_is_refused_leaves_no_name_in_log_or_problem() -> None:
    with serving() as server:
        visitor = Visitor(server)
        visitor.send("POST", "/auth/register", REGISTRATION)
        pair = json.loads(visitor.send("POST", "/auth/login", LOGIN).content)
        statuses = [
            visitor.send("POST", "/auth/register", REGISTRATION).status,
            visitor.send("POST", "/auth/login", LOGIN | {"password": "planted"}).status,
            visitor.send("GET", f"/users/me{QUERY}").status,
        ]
        visitor.token = pair["access_token"]
        statuses += [
            visitor.send("GET", f"/transactions{QUERY}&limit=0").status,
            visitor.send("GET", f"/nope{QUERY}").status,
            visitor.send("POST", "/transactions", ROW | {"currency": NAME}).status,
            visitor.send("POST", "/transactions", ROW | {"transaction_type": NAME}).status,
            visitor.send("POST", "/transactions", ROW | {"transaction_date": NAME}).status,
            visitor.send("POST", "/transactions", ROW | {"transaction_amount": NAME}).status,
            visitor.send("PATCH", "/users/me", {"email": NAME}).status,
            visitor.send("PATCH", "/users/me", {"username": NAME}).status,
        ]
        assert statuses == [400, 401, 401, 400, 404, 400, 400, 400, 400, 400, 400]

        assert_unspoken(server, visitor, lines=13)


def test_an_upload_leaves_no_name_in_log_or_problem(ada: ApiClient, tmp_path: Path) -> None:
    with serving(IMPORTS_DIR=str(tmp_path)) as server:
        visitor = Visitor(server)
        visitor.token = str(ada.token)
        statuses = [
            visitor.upload(UPLOAD).status,
            visitor.upload(UPLOAD.partition(b"\n")[2]).status,
            visitor.upload(UPLOAD + b"\xff").status,
            visitor.upload(UPLOAD.replace(b"full_name", NAME.encode())).status,
        ]
        assert statuses == [202, 400, 400, 400]

        assert_unspoken(server, visitor, lines=4)


def test_what_works_on_an_import_leaves_no_name_in_its_log(
    ada: ApiClient, settings: Any, tmp_path: Path, capfd: Any, caplog: Any
) -> None:
    settings.IMPORTS_DIR = str(tmp_path)
    caplog.set_level(logging.DEBUG)

    row = imported(ada, UPLOAD)

    assert (row.rows_created, row.rows_refused) == (1, 5)
    spoken = caplog.text + "".join(capfd.readouterr()) + json.dumps(row.errors)
    assert [word for word in PLANTED if word in spoken] == []


def test_an_import_that_breaks_off_leaves_no_name_in_its_log(
    ada: ApiClient, settings: Any, tmp_path: Path, capfd: Any, caplog: Any
) -> None:
    settings.IMPORTS_DIR = str(tmp_path)
    import_id = upload(ada, UPLOAD).json()["id"]
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-10])

    row = work(import_id, ada.user_id)

    assert (row.status, row.failure) == ("failed", "file-lost")
    spoken = caplog.text + "".join(capfd.readouterr())
    assert [word for word in PLANTED if word in spoken] == []


def test_no_key_is_in_log_or_problem(ada: ApiClient, caplog: Any, capfd: Any) -> None:
    caplog.set_level(logging.DEBUG)
    assert ada.user
    machine = Machine(ada.user, "users:read")
    wrong = ApiClient(token=f"{machine.key[:-1]}{'1' if machine.key[-1] == '0' else '0'}")
    answers = [
        ada.post("/users/me/keys", {"name": machine.key, "scopes": [machine.key]}),
        machine.get("/users/me"),
        machine.get("/wallets"),
        wrong.get("/users/me"),
        ApiClient(token=machine.key[:-1]).get("/users/me"),
    ]
    machine.revoke()
    answers += [machine.get("/users/me"), machine.post("/transactions", {})]

    assert [answer.status_code for answer in answers] == [400, 200, 403, 401, 401, 401, 401]
    said = [caplog.text, *capfd.readouterr(), *(answer.content.decode() for answer in answers)]
    secret = machine.key.rpartition("_")[2]
    assert [text for text in said if secret[:-1] in text] == []


def test_with_the_database_away_no_name_is_in_the_log(ada: ApiClient) -> None:
    with serving(DATABASE_URL="postgres://nobody@127.0.0.1:1/nothing") as server:
        visitor = Visitor(server)
        visitor.token = str(ada.token)
        assert visitor.send("GET", f"/transactions{QUERY}").status == 503
        assert visitor.send("GET", f"/transactions/export{QUERY}").status == 503
        assert visitor.send("POST", "/transactions", ROW).status == 503
        visitor.token = ""
        assert visitor.send("POST", "/auth/login", LOGIN).status == 503
        assert visitor.send("POST", "/auth/register", REGISTRATION).status == 503

        assert_unspoken(server, visitor, lines=5)


def test_a_host_that_is_refused_leaves_no_query_in_the_log() -> None:
    with serving(ALLOWED_HOSTS="127.0.0.1") as server:
        answer = server.request("GET", f"/api/v1/transactions{QUERY}", Host="evil.example")

        assert answer.status == 400
        assert "Planted" not in server.log()
        assert "evil.example" in server.log()
