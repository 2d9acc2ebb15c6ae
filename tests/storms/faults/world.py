"""All that the storm is about: two web hosts, a worker and beat, on servers of their own."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.receiver import Receiver
from tests.storms.faults import cluster, processes
from tests.storms.faults.clock import Clock
from tests.storms.faults.cluster import Cluster
from tests.storms.faults.disk import Disk
from tests.storms.faults.pace import Pace
from tests.storms.faults.processes import Process, WebHost
from tests.storms.faults.service import Person
from tests.valkey import Valkey

HOSTS = 2
LIVE_SECONDS = 120
# What an operator may set. A lost connection is given up 5 seconds after a statement's limit.
STATEMENT_SECONDS = 5
SETTINGS = {
    "ALLOWED_HOSTS": "localhost",
    "HTTPS_ONLY": "false",
    "LOG_LEVEL": "WARNING",
    "LOCK_TIMEOUT_SECONDS": "3",
    "STATEMENT_TIMEOUT_SECONDS": str(STATEMENT_SECONDS),
    "WEBHOOK_ALLOW_LOOPBACK": "true",
}


@dataclass
class World:
    cluster: Cluster
    valkey: Valkey
    clock: Clock
    receiver: Receiver
    hosts: list[WebHost]
    worker: Process
    beat: Process
    people: list[Person]
    environment: dict[str, str]
    pace: Pace

    @property
    def processes(self) -> list[Process]:
        return [*self.hosts, self.worker, self.beat]

    def supervise(self) -> None:
        """Start again what has ended by itself, as whoever runs the service would."""
        for process in self.processes:
            process.revive()

    def received(self) -> list[tuple[str, str]]:
        """The id of each webhook that has arrived, and the alert that it tells of."""
        found = list(self.receiver.received)
        return [(headers["webhook-id"], json.loads(body)["data"]["id"]) for headers, body in found]

    def manage(self, *arguments: str) -> str:
        """Run a command on the database itself, past the proxy."""
        direct = self.environment | {"DATABASE_URL": self.cluster.url}
        return processes.run(direct, "manage.py", *arguments)


@contextmanager
def running(folder: Path, disk_megabytes: int) -> Iterator[World]:
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(Receiver().open())
        database = stack.enter_context(cluster.running(Disk(folder / "disk", disk_megabytes)))
        (folder / "valkey").mkdir()
        valkey = Valkey(folder / "valkey")
        stack.callback(valkey.kill)
        environment = _environment(database.url, valkey.url)
        processes.run(environment, "manage.py", "migrate", "--verbosity=0")
        made = processes.run(environment, "-m", "tests.storms.faults.people", receiver.url)
        people = [Person(id_, name) for name, id_ in json.loads(made).items()]
        environment |= {"DATABASE_URL": database.line.url}
        clock = Clock(folder)
        # One host goes by a clock that may be shifted.
        hosts = [
            _web(n, environment | (clock.environment if n else {}), folder) for n in range(HOSTS)
        ]
        worker = processes.worker(environment, folder / "worker.log")
        beat = processes.beat(environment, folder / "beat.log")
        for each in (*hosts, worker, beat):
            stack.callback(each.end)
        pace = Pace(folder / "pace")
        stack.callback(pace.end)
        for host in hosts:
            wait_until_live(host)
        yield World(
            cluster=database,
            valkey=valkey,
            clock=clock,
            receiver=receiver,
            hosts=hosts,
            worker=worker,
            beat=beat,
            people=people,
            environment=environment,
            pace=pace,
        )


def _environment(database_url: str, redis_url: str) -> dict[str, str]:
    servers = {"DATABASE_URL": database_url, "REDIS_URL": redis_url}
    settings = SETTINGS | servers | {"DJANGO_SETTINGS_MODULE": "fido.settings"}
    return {**os.environ, **settings, "CELERY_BROKER_URL": redis_url}


def _web(number: int, environment: dict[str, str], folder: Path) -> WebHost:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return processes.web(f"web host {number}", port, environment, folder / f"web{number}.log")


def wait_until_live(host: WebHost) -> None:
    deadline = time.monotonic() + LIVE_SECONDS
    while not _is_live(host):
        host.revive()
        assert time.monotonic() < deadline, f"{host.name} does not start: {host.log}"
        time.sleep(0.05)


def _is_live(host: WebHost) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", host.port), 5) as connected:
            connected.settimeout(5)
            connected.sendall(b"GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n")
            return connected.recv(12).endswith(b" 200")
    except OSError:
        return False
