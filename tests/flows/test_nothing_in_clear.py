"""Neither the database nor Valkey ever holds what only an authorised answer may show."""

import base64
from collections.abc import Iterator

import pytest
from django.db import connection
from django_redis import get_redis_connection

from analytics import tasks
from tests.client import ApiClient

NAME, PAYEE, NEW_NAME = "Zebulon Quixworth", "Persephone Vandersloot", "Thaddeus Oglethorpe"
EMAIL, NEW_EMAIL = "zebulon.quixworth@planted.example", "second.address@planted.example"
DESCRIPTION = "for the harpsichord in the attic"
PASSWORD, NEW_PASSWORD = "planted horse battery", "planted staple battery"
WRONG_PASSWORD = "a planted password that is wrong"


def database_dump() -> Iterator[bytes]:
    """Every row of every table, as text; bytea stands in it as hexadecimal."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [name for (name,) in cursor.fetchall()]
        assert "transactions_transaction" in tables
        for table in tables:
            cursor.execute(f'SELECT row::text FROM "{table}" AS row')
            yield from (row.encode() for (row,) in cursor.fetchall())


def valkey_dump() -> Iterator[bytes]:
    """Every key and every value, and what a queued job's body decodes to."""
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


def _from_base64(word: bytes) -> bytes:
    try:
        return base64.b64decode(word, validate=True)
    except ValueError:
        return b""


def forms(planted: str) -> list[bytes]:
    """A value as it might lie in a dump: plain, folded, in hexadecimal, in base64."""
    folded = planted.casefold()
    plain = [planted, folded, *(text.encode().hex() for text in (planted, folded))]
    # Two bytes off each end: base64 depends on where in a longer text the value begins.
    return [text.encode() for text in plain] + [
        base64.b64encode(planted.encode()[start:])[:-4] for start in range(3)
    ]


def live_and_leave_traces(anybody: ApiClient) -> list[str]:
    """All that a customer does that holds something private; returns the tokens."""
    registration = {"username": "zq", "email": EMAIL, "password": PASSWORD, "full_name": NAME}
    assert anybody.post("/auth/register", registration).status_code == 201
    for name in ("zq", EMAIL, "nobody@planted.example"):
        wrong = anybody.post("/auth/login", {"username": name, "password": WRONG_PASSWORD})
        assert wrong.status_code == 401
    pair = anybody.post("/auth/login", {"username": EMAIL, "password": PASSWORD}).json()
    second = anybody.post("/auth/refresh", {"refresh_token": pair["refresh_token"]}).json()
    zebulon = ApiClient(token=second["access_token"])
    body = {"transaction_amount": "19.99", "transaction_type": "debit", "full_name": PAYEE}
    body |= {"transaction_date": "2026-01-31", "description": DESCRIPTION}
    row = zebulon.post("/transactions", body).json()
    assert zebulon.patch(f"/transactions/{row['id']}", {"full_name": NAME}).status_code == 200
    assert len(zebulon.get("/transactions", full_name=NAME).json()["results"]) == 1
    assert NAME in zebulon.get("/transactions/export", full_name=NAME).getvalue().decode()
    assert zebulon.get("/analytics").json()["full_name"] == NAME
    profile = zebulon.patch("/users/me", {"email": NEW_EMAIL, "full_name": NEW_NAME})
    assert profile.status_code == 200
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert zebulon.post("/users/me/password", change).status_code == 204
    return [*pair.values(), *second.values()]


@pytest.mark.django_db(transaction=True)
def test_a_dump_holds_no_name_address_description_password_or_token(anybody: ApiClient) -> None:
    answers = live_and_leave_traces(anybody)
    tasks.fold_totals.delay(1)
    tokens = [str(answer) for answer in answers if str(answer).count(".") == 2]
    assert len(tokens) == 4
    # Its parts too: the claims and the signature have no business there either.
    planted = [NAME, PAYEE, NEW_NAME, EMAIL, NEW_EMAIL, DESCRIPTION, "planted.example"]
    planted += [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD, *tokens]
    planted += [part for token in tokens for part in token.split(".")[1:]]

    dump = b"\n".join([*database_dump(), *valkey_dump()])

    assert b"zq" in dump
    assert b"fold_totals" in dump
    assert [text for text in planted if any(form in dump for form in forms(text))] == []
