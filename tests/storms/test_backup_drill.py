"""A backup that is taken under load, and restored into an empty installation."""

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import User
from fido.embedded import postgres
from tests.factories import PASSWORD, UserFactory
from tests.races import wait_until
from tests.servers import operators_environment
from tests.valkey import Valkey
from tests.webserver import PROJECT, WebServer, serving
from tests.worker import Worker, url_of_test_database

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]

RESTORED = "restored_by_the_drill"
WRITERS, BEFORE, AFTER = 4, 200, 50


class Writing(threading.Thread):
    """One customer: credits and withdrawals of a wallet, each under a key."""

    def __init__(self, server: WebServer, user: User) -> None:
        super().__init__(daemon=True)
        self.server, self.user, self.stop = server, user, threading.Event()
        self.token = token_of(server, user.username)
        # The body of each acknowledged write, by its key.
        self.acknowledged: dict[str, bytes] = {}

    def send(self, key: str, number: int, server: WebServer, token: str) -> Any:
        kind = "debit" if number % 3 == 2 else "credit"
        row = {"transaction_amount": "1.00", "transaction_type": kind, "wallet": "main"}
        row |= {"transaction_date": "2026-01-31T12:00:00Z", "description": f"number {number}"}
        headers = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
        path = "/api/v1/transactions"
        return server.request("POST", path, json.dumps(row), Idempotency_Key=key, **headers)

    def run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}", "Content_Type": "application/json"}
        self.server.request("POST", "/api/v1/wallets", b'{"name": "main"}', **headers)
        for number in itertools.count():
            if self.stop.is_set():
                return
            answer = self.send(f"{self.user.pk}-{number}", number, self.server, self.token)
            if answer.status == 201:
                self.acknowledged[f"{self.user.pk}-{number}"] = answer.content


def token_of(server: WebServer, username: str) -> str:
    login = json.dumps({"username": username, "password": PASSWORD})
    answer = server.request("POST", "/api/v1/auth/login", login, Content_Type="application/json")
    assert answer.status == 200, answer.content
    return str(json.loads(answer.content)["access_token"])


def url_of(database: str) -> str:
    return urlsplit(url_of_test_database())._replace(path=f"/{database}").geturl()


def run(program: str, *arguments: str) -> None:
    path = postgres.program(program)
    subprocess.run([path, *arguments], check=True, env=os.environ | {"PGCONNECT_TIMEOUT": "10"})


def manage(*arguments: str, **variables: str) -> str:
    """What the command prints; it fails if it finds anything wrong."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        check=False,
        cwd=PROJECT,
        env=operators_environment(**variables),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def empty_database(name: str) -> Iterator[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        cursor.execute(f"CREATE DATABASE {name}")
        try:
            yield url_of(name)
        finally:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def written_meanwhile(writers: list[Writing]) -> Iterator[None]:
    """The writers write before, during and after."""
    for writer in writers:
        writer.start()
    wait_until(lambda: sum(len(writer.acknowledged) for writer in writers) > BEFORE)
    yield
    before = sum(len(writer.acknowledged) for writer in writers)
    wait_until(lambda: sum(len(writer.acknowledged) for writer in writers) > before + AFTER)
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join()


def test_a_backup_under_load_is_whole_exact_and_readable(tmp_path: Path) -> None:
    users = [UserFactory.create(full_name=f"Zebulon Quixworth {n}") for n in range(WRITERS)]
    dump = str(tmp_path / "fido.dump")
    worker = Worker()
    with serving("--threads=4") as server:
        writers = [Writing(server, user) for user in users]
        with written_meanwhile(writers):
            begun = [dict(writer.acknowledged) for writer in writers]
            run("pg_dump", "--format=custom", f"--file={dump}", url_of_test_database())
    worker.stop()
    programs = str(postgres.program("pg_restore").parent)
    assert "Nothing is missing" in manage(
        "backup_check", dump, DATABASE_URL=url_of_test_database(), PATH=programs
    )
    folder = tmp_path / "valkey"
    folder.mkdir()
    valkey = Valkey(folder)

    with empty_database(RESTORED) as url:
        run("pg_restore", "--no-owner", f"--dbname={url}", dump)
        elsewhere = {"DATABASE_URL": url, "REDIS_URL": valkey.url, "CELERY_BROKER_URL": valkey.url}
        assert "no difference" in manage("check_totals", **elsewhere)
        assert "no difference" in manage("reconcile_wallets", **elsewhere)
        with serving(**elsewhere) as restored:
            for writer, acknowledged in zip(writers, begun, strict=True):
                assert_restored(restored, writer, acknowledged)
    valkey.kill()


def assert_restored(server: WebServer, writer: Writing, acknowledged: dict[str, bytes]) -> None:
    """Logins work, names are readable, and each write is there once: as far as the backup goes."""
    token = token_of(server, writer.user.username)
    headers = {"Authorization": f"Bearer {token}"}
    path = "/api/v1/transactions/export?format=ndjson"
    rows = server.request("GET", path, **headers).content.splitlines()
    found = {json.loads(row)["id"]: json.loads(row) for row in rows}
    at_first = {json.loads(body)["id"] for body in acknowledged.values()}
    in_the_end = {json.loads(body)["id"] for body in writer.acknowledged.values()}
    # One may have been written and not acknowledged yet when the writers were stopped.
    assert at_first <= set(found)
    assert len(set(found) - in_the_end) <= 1
    assert {row["full_name"] for row in found.values()} == {writer.user.full_name}

    told = json.loads(server.request("GET", "/api/v1/analytics", **headers).content)
    assert told["total_transactions"] == len(found)
    key, body = next(iter(acknowledged.items()))
    again = writer.send(key, int(key.partition("-")[2]), server, token)
    assert (again.headers["Idempotent-Replayed"], again.content) == ("true", body)
    new = writer.send(uuid4().hex, 0, server, token)
    assert new.status == 201
