"""No stale read, whatever is paused, killed, restarted or evicted."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from fido.embedded.process import spawn
from fido.lib.cache.redis_link import LEASE_SECONDS
from tests.factories import UserFactory
from tests.storms.ledger import Ledger
from tests.valkey import Valkey
from tests.worker import url_of_test_database
from transactions.models import Transaction

USERS, WRITERS, READERS, SECONDS = 5, 4, 8, 60
LONGEST_SECONDS = 400

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]


class Actors:
    """The storm's processes. Killed ones are replaced."""

    kill_at = 20

    def __init__(self, ledger: Path, user_ids: list[int], environment: dict[str, str]) -> None:
        self.arguments = [str(ledger), *map(str, user_ids)]
        self.environment, self.ledger = environment, Ledger(ledger)
        self.reports, self.log = ledger.with_suffix(".reports"), ledger.with_suffix(".log")
        self.roles = ["writer"] * WRITERS + ["reader"] * READERS + ["warmer"]
        self.processes = [self._start(role) for role in self.roles]
        self.killed = 0

    def _start(self, role: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.storms.cache_actor", role, *self.arguments]
        with self.reports.open("ab") as reports, self.log.open("ab") as log:
            return spawn(
                command,
                death_signal=signal.SIGKILL,
                env=self.environment,
                cwd=settings.BASE_DIR,
                stdout=reports,
                stderr=log,
            )

    def kill_a_writer_at_times(self) -> None:
        # By the number of writes and not by time: on a busy machine no process would get to write.
        if self.ledger.all_acknowledged() > self.kill_at:
            self.processes[random.randrange(WRITERS)].kill()
            self.kill_at = self.ledger.all_acknowledged() + random.randrange(40, 160)

    def saw_enough(self, writes: float) -> bool:
        if not all(self.ledger.acknowledged(number) for number in range(USERS)):
            return False
        if "STORM_WITHOUT_FENCE" in self.environment:
            return '"stale"' in self.reports.read_text()
        return min(self.ledger.sources().values()) > 50 and self.ledger.all_acknowledged() > writes

    def happened(self) -> dict[str, int]:
        return {**self.ledger.sources(), "writes": self.ledger.all_acknowledged()}

    def replace_the_dead(self) -> None:
        for number, process in enumerate(self.processes):
            if process.poll() is not None:
                assert process.returncode == -signal.SIGKILL, self.log.read_text()[-2000:]
                self.killed += 1
                self.processes[number] = self._start(self.roles[number])

    def end(self) -> list[dict[str, Any]]:
        """The errors that the actors have reported."""
        for process in self.processes:
            process.kill()
            process.wait()
        lines = [json.loads(line) for line in self.reports.read_text().splitlines()]
        return [line for line in lines if "event" not in line]  # those are the service's log


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Run a storm: `events` are called at even intervals, in order."""
    servers: list[Valkey] = []

    def go(
        *events: Callable[[Valkey], None],
        options: tuple[str, ...] = (),
        seconds: float = SECONDS,
        **environment: str,
    ) -> tuple[list[dict[str, Any]], Valkey]:
        server = Valkey(tmp_path, *options)
        servers.append(server)
        users = UserFactory.create_batch(USERS)
        ledger = Ledger(tmp_path / "ledger")
        surroundings = os.environ | environment | {"LOG_LEVEL": "ERROR"}
        surroundings |= {"DATABASE_URL": url_of_test_database(), "REDIS_URL": server.url}
        surroundings |= {
            "DJANGO_SETTINGS_MODULE": "fido.settings",
            "ALLOWED_HOSTS": "testserver,localhost",
        }
        actors = Actors(tmp_path / "ledger", [user.pk for user in users], surroundings)
        try:
            _storm(server, actors, events, seconds)
        finally:
            reports = actors.end()
        for number, user in enumerate(users):
            written = Transaction.objects.filter(user=user).count()
            assert written >= ledger.acknowledged(number) > 0
        return reports, server

    yield go
    for server in servers:
        server.stop(signal.SIGKILL)


def _storm(
    server: Valkey, actors: Actors, events: tuple[Callable[[Valkey], None], ...], seconds: float
) -> None:
    """At least this long, and on a busy machine until there is enough to see."""
    started = time.monotonic()
    waiting = [(seconds * (n + 1) / (len(events) + 1), event) for n, event in enumerate(events)]
    while (elapsed := time.monotonic() - started) < seconds or not actors.saw_enough(5 * seconds):
        assert elapsed < LONGEST_SECONDS, f"too little happened: {actors.happened()}"
        time.sleep(0.2)
        actors.kill_a_writer_at_times()
        actors.replace_the_dead()
        if server.options:
            server.crowd()
        if waiting and elapsed > waiting[0][0]:
            waiting.pop(0)[1](server)


def test_no_read_is_stale_while_everything_goes_wrong(run: Callable[..., Any]) -> None:
    reports, _ = run(
        lambda server: server.pause(5),
        lambda server: server.refuse(1),
        lambda server: server.restart(keep=True),
        lambda server: server.refuse(1.5),
        lambda server: server.pause(0.5),
        lambda server: server.pause(LEASE_SECONDS),
        lambda server: server.lose(1),
        lambda server: server.restart(keep=False),
        lambda server: server.pause(1.5),
        lambda server: server.refuse(3),
    )

    assert reports == []


def test_no_read_is_stale_under_memory_pressure(run: Callable[..., Any]) -> None:
    pressure = ("--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lru")
    reports, server = run(options=pressure)

    assert reports == []
    assert server.evicted > 100


def test_no_read_goes_back_behind_another_while_redis_is_there(run: Callable[..., Any]) -> None:
    reports, _ = run(seconds=20, STORM_IS_CALM="yes")

    assert reports == []


def test_without_the_fence_the_storm_finds_stale_reads(run: Callable[..., Any]) -> None:
    reports, _ = run(seconds=1, STORM_WITHOUT_FENCE="yes")

    assert any("stale" in report for report in reports)
