"""The output of `manage.py reencrypt`, which may run while people write."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from threading import Event, Lock
from typing import Any, Self

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connections

from accounts.models import User
from fido.lib.values.crypto import reencryption
from fido.management.commands.reencrypt import Pace
from tests.factories import UserFactory, record
from tests.key_rings import forget_older_keys, is_under, rotate, store, stored
from tests.races import DEADLINE_SECONDS
from transactions import operations
from transactions.models import Transaction

pytestmark = pytest.mark.django_db


def reencrypt(*arguments: str) -> str:
    out = StringIO()
    call_command("reencrypt", *arguments, stdout=out)
    return out.getvalue()


def test_check_counts_what_is_left_and_changes_nothing(
    settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    row = record(UserFactory.create())
    rotate(settings)
    record(row.user, description="Tea")
    token = stored(row, "full_name")
    out = StringIO()

    with pytest.raises(CommandError, match="Not under the newest keys: 3 tokens, 3 digests"):
        call_command("reencrypt", "--check", stdout=out)

    assert out.getvalue().splitlines() == [
        "fido.IdempotencyKey.answer: 0 newest key, 0 older, 0 unreadable",
        "accounts.User.email: 0 newest key, 1 older, 0 unreadable; 1 old digests",
        "accounts.User.full_name: 0 newest key, 1 older, 0 unreadable; 1 old digests",
        "transactions.Transaction.full_name: 1 newest key, 1 older, 0 unreadable; 1 old digests",
        "transactions.Transaction.description: 1 newest key, 0 older, 0 unreadable",
        "alerts.WebhookEndpoint.secret: 0 newest key, 0 older, 0 unreadable",
        "alerts.WebhookEndpoint.previous_secret: 0 newest key, 0 older, 0 unreadable",
    ]
    assert stored(row, "full_name") == token
    assert "transactions.Transaction.full_name: 2" in capsys.readouterr().err


def test_afterwards_the_check_is_content(settings: Any) -> None:
    row = record(UserFactory.create(), description="Tea")
    rotate(settings)

    moved = reencrypt("--batch-size", "1", "--rate", "10000")
    forget_older_keys(settings)

    assert reencrypt("--check") == moved
    assert moved.splitlines()[3:] == [
        "transactions.Transaction.full_name: 1 newest key, 0 older, 0 unreadable; 0 old digests",
        "transactions.Transaction.description: 1 newest key, 0 older, 0 unreadable",
        "alerts.WebhookEndpoint.secret: 0 newest key, 0 older, 0 unreadable",
        "alerts.WebhookEndpoint.previous_secret: 0 newest key, 0 older, 0 unreadable",
        "Everything is under the newest keys.",
    ]
    assert Transaction.objects.get(pk=row.pk).description == "Tea"


@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["moving", "checking"])
def test_a_token_that_fits_no_key_fails_the_command(
    settings: Any, arguments: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    damaged, sound = UserFactory.create(), UserFactory.create(full_name="Grace Hopper")
    store(damaged, "full_name", b"gAAAAdamaged")

    with pytest.raises(CommandError, match=r"^Tokens that fit no key: 1\."):
        reencrypt(*arguments)

    assert f"The token in accounts.User.full_name of row {damaged.pk} fits no key." in caplog.text
    assert "gAAAAdamaged" not in caplog.text
    assert stored(damaged, "full_name") == b"gAAAAdamaged"
    assert User.objects.get(pk=sound.pk).full_name == "Grace Hopper"


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_rate_that_is_no_number_of_rows_is_refused(value: str) -> None:
    with pytest.raises(CommandError, match="a whole number of at least 1"):
        call_command("reencrypt", f"--rate={value}")


def test_the_pace_spreads_writes_and_saves_nothing_up() -> None:
    time, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        time[0] += seconds

    pace = Pace(rate=10, now=lambda: time[0], sleep=sleep)
    pace.wrote(5)
    time[0] += 60  # a long time with nothing to write
    pace.wrote(20)
    pace.wrote(0)

    assert slept == [0.5, 2.0, 0.0]


class Editor(threading.Thread):
    """Edits names without pause until told to stop, and remembers each row's last one."""

    def __init__(self, rows: list[Transaction]) -> None:
        super().__init__()
        self.rows, self.edits, self.last = rows, 0, dict[Any, str]()
        self.enough, self.may_begin, self.at_work = Event(), Event(), Lock()
        self.may_begin.set()

    def run(self) -> None:
        try:
            while not self.enough.is_set():
                self.may_begin.wait()
                with self.at_work:
                    self.edit()
        finally:
            connections.close_all()

    def edit(self) -> None:
        row = self.rows[self.edits % len(self.rows)]
        self.edits += 1
        name = f"Name Number {self.edits}"
        operations.amend(row=row, changes={"full_name": name})
        self.last[row.pk] = name

    @contextmanager
    def between_two_edits(self) -> Iterator[None]:
        self.may_begin.clear()
        with self.at_work:
            yield
        self.may_begin.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.enough.set()
        self.may_begin.set()
        self.join()


@pytest.mark.django_db(transaction=True)
def test_edits_meanwhile_are_kept_and_every_digest_goes_with_its_name(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An edit may take its time. If it takes too long, its row stays under the older key, as it may.
    monkeypatch.setattr(reencryption, "LOCK_TIMEOUT", f"{DEADLINE_SECONDS}s")
    owner = UserFactory.create()
    rows = [record(owner, full_name=f"First {n}") for n in range(30)]

    with Editor(rows) as editor:
        while editor.edits < 150:
            assert editor.is_alive()
            # Every process has the new keys before the command is run. An edit that has encrypted
            # under the older ones and is yet to write would rightly be reported as left.
            with editor.between_two_edits():
                rotate(settings)
            reencrypt("--batch-size", "7")
    reencrypt()
    forget_older_keys(settings)

    present = {row.pk: row.full_name for row in Transaction.objects.all()}
    assert present == {row.pk: f"First {n}" for n, row in enumerate(rows)} | editor.last
    for name in present.values():
        assert Transaction.objects.named(name or "").count() == 1
    assert all(is_under(settings.FERNET_KEYS[0], stored(row, "full_name")) for row in rows)
