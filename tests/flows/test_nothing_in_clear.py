"""The database, Valkey and the disk hold nothing in clear that only authorised answers may show."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.client import MULTIPART_CONTENT
from django_redis import get_redis_connection

from analytics import tasks
from tests.client import ApiClient
from tests.imports import HEADER, csv, work
from transactions.imports.models import Import

NAME, PAYEE, NEW_NAME = "Zebulon Quixworth", "Persephone Vandersloot", "Thaddeus Oglethorpe"
EMAIL, NEW_EMAIL = "zebulon.quixworth@planted.example", "second.address@planted.example"
DESCRIPTION = "for the harpsichord in the attic"
KEY = "planted-key of Zebulon"
PASSWORD, NEW_PASSWORD = "planted horse battery", "planted staple battery"
WRONG_PASSWORD = "a planted password that is wrong"


def database_dump() -> Iterator[bytes]:
    """Every row of every table, as text, with bytea in hexadecimal."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        assert "transactions_transaction" in tables
        for table in tables:
            cursor.execute(f'SELECT row::text FROM "{table}" AS row')
            yield from (row.encode() for (row,) in cursor.fetchall())


def valkey_dump() -> Iterator[bytes]:
    """Every key and every value, and the decoded body of every queued job."""
    client = get_redis_connection()
    readers = {
        b"string": lambda key: [client.get(key)],
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"zset": lambda key: client.zrange(key, 0, -1),
        b"hash": lambda key: [part for pair in client.hgetall(key).items() for part in pair],
    }
    for key in client.scan_iter():
        values = readers[client.type(key)](key)
        yield from (key, *values)
        for value in values:
            for word in value.replace(b'"', b" ").split():
                yield _from_base64(word)


def disk_dump() -> Iterator[bytes]:
    """Every waiting upload, by name and content."""
    for path in Path(settings.IMPORTS_DIR).iterdir():
        yield from (path.name.encode(), path.read_bytes())


def _from_base64(word: bytes) -> bytes:
    try:
        return base64.b64decode(word, validate=True)
    except ValueError:
        return b""


def forms(planted: str) -> list[bytes]:
    """The forms that a value may have in a dump: plain, case-folded, hexadecimal, base64."""
    folded = planted.casefold()
    plain = [planted, folded, *(text.encode().hex() for text in (planted, folded))]
    # Two bytes off each end: base64 depends on where in a longer text the value begins.
    return [text.encode() for text in plain] + [
        base64.b64encode(planted.encode()[start:])[:-4] for start in range(3)
    ]


# A name in the right column, in a wrong one, and in a line that is not a row.
UPLOAD = csv(
    f'2026-01-31,1,credit,"{NAME}",{DESCRIPTION},1',
    f"{PAYEE},{PAYEE},{PAYEE},{PAYEE},,{'x' * 256}{PAYEE}",
    f"{PAYEE},{PAYEE}",
    f'"{PAYEE}"{NAME},1,credit,,,',
    header=f"{HEADER},full_name,description,external_id",
)
OBJECTS = f'{{"{PAYEE}": 1}}\n{{"full_name": "{PAYEE}"\n{{"full_name": ["{PAYEE}"]}}\n'


def import_files(client: ApiClient) -> None:
    """One file is imported, one waits, and one is refused."""
    for content in (UPLOAD, OBJECTS.encode(), f"{NAME},1\n".encode()):
        for _ in range(2):
            file = SimpleUploadedFile(f"{NAME}.csv", content)
            answer = client.request(
                "post", "/imports", {"file": file}, content_type=MULTIPART_CONTENT
            )
        if answer.status_code == 202:
            row = work(answer.json()["id"], answer.json()["user_id"])
            assert row.rows_refused == 3
            assert client.get(f"/imports/{row.pk}").status_code == 200


def live_and_leave_traces(anybody: ApiClient) -> list[str]:
    """Everything private that a customer may do; returns the tokens."""
    registration = {"username": "zq", "email": EMAIL, "password": PASSWORD, "full_name": NAME}
    for _ in range(2):
        sent = anybody.post("/auth/register", registration, HTTP_IDEMPOTENCY_KEY=f"{KEY} 0")
        assert sent.status_code == 201
    for name in ("zq", EMAIL, "nobody@planted.example"):
        wrong = anybody.post("/auth/login", {"username": name, "password": WRONG_PASSWORD})
        assert wrong.status_code == 401
    pair = anybody.post("/auth/login", {"username": EMAIL, "password": PASSWORD}).json()
    second = anybody.post("/auth/refresh", {"refresh_token": pair["refresh_token"]}).json()
    zebulon = ApiClient(token=second["access_token"])
    body = {"transaction_amount": "19.99", "transaction_type": "debit", "full_name": PAYEE}
    body |= {"transaction_date": "2026-01-31", "description": DESCRIPTION}
    row = zebulon.post("/transactions", body, HTTP_IDEMPOTENCY_KEY=KEY).json()
    assert zebulon.post("/transactions", body, HTTP_IDEMPOTENCY_KEY=KEY).json() == row
    bulk = zebulon.post("/transactions/bulk", [body] * 2, HTTP_IDEMPOTENCY_KEY=f"{KEY} 2")
    assert bulk.json()["created"] == 2
    assert zebulon.patch(f"/transactions/{row['id']}", {"full_name": NAME}).status_code == 200
    assert len(zebulon.get("/transactions", full_name=NAME).json()["results"]) == 1
    assert zebulon.get("/users/me").headers["ETag"]
    assert NAME in zebulon.get("/transactions/export", full_name=NAME).getvalue().decode()
    assert zebulon.get("/analytics").json()["full_name"] == NAME
    import_files(zebulon)
    profile = zebulon.patch("/users/me", {"email": NEW_EMAIL, "full_name": NEW_NAME})
    assert profile.status_code == 200
    keys = use_keys(zebulon)
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert zebulon.post("/users/me/password", change).status_code == 204
    return [*pair.values(), *second.values(), *keys]


def use_keys(client: ApiClient) -> list[str]:
    """Keys in all their states: used, revoked, refused for their scopes, and wrong."""
    keys = []
    for name in ("used", "revoked"):
        body = {"name": name, "scopes": ["analytics:read", "transactions:write"]}
        sent = client.post("/users/me/keys", body, HTTP_IDEMPOTENCY_KEY=f"{KEY} {name}").json()
        keys.append(sent["key"])
        machine = ApiClient(token=sent["key"])
        assert machine.get("/analytics").status_code == 200
        assert machine.get("/wallets").status_code == 403
        row = {"transaction_amount": "1", "transaction_type": "debit", "full_name": PAYEE}
        row |= {"transaction_date": "2026-01-31"}
        recorded = machine.post("/transactions", row, HTTP_IDEMPOTENCY_KEY=f"{KEY} by {name}")
        assert recorded.status_code == 201
    assert client.delete(f"/users/me/keys/{sent['id']}").status_code == 204
    keys.append(f"{sent['key'][:-64]}{'5a' * 32}")
    for key in keys[1:]:
        assert ApiClient(token=key).get("/analytics").status_code == 401
    return keys


@pytest.mark.django_db(transaction=True)
def test_a_dump_holds_no_name_address_description_password_token_or_key(
    anybody: ApiClient, settings: Any, tmp_path: Path
) -> None:
    settings.IMPORTS_DIR = str(tmp_path)
    answers = live_and_leave_traces(anybody)
    tasks.fold_totals.delay(1)
    tokens = [str(answer) for answer in answers if str(answer).count(".") == 2]
    assert len(tokens) == 4
    keys = [str(answer) for answer in answers if str(answer).startswith("fido_")]
    assert len(keys) == 3
    # Their parts too: claims and signature must not appear either.
    planted = [NAME, PAYEE, NEW_NAME, EMAIL, NEW_EMAIL, DESCRIPTION, "planted.example"]
    planted += [KEY, "planted-key"]
    planted += [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, *tokens]
    planted += [part for token in tokens for part in token.split(".")[1:]]
    planted += [key.rpartition("_")[2] for key in keys]

    dump = b"\n".join([*database_dump(), *valkey_dump(), *disk_dump()])

    assert Import.objects.filter(status="queued").count() == len(list(tmp_path.iterdir())) == 2
    assert b"run_import" in dump
    assert b"zq" in dump
    assert b"fold_totals" in dump
    assert [text for text in planted if any(form in dump for form in forms(text))] == []
