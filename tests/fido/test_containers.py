"""What containers need of the service, tested without a container: draining, health, secrets."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django_celery_beat.schedulers import DatabaseScheduler

from fido.celery import app
from fido.containers import probe
from fido.env import Environment
from fido.scheduler import Scheduler
from tests.fido.processes import PROJECT, descendants, eventually
from tests.races import DEADLINE_SECONDS
from tests.servers import operators_environment
from tests.worker import running_worker

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

LIVEZ = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# The body comes later; the request is then refused before anything is looked up.
HALF = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
HALF += b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n"


class Web:
    """gunicorn as in a container, but with one process of one thread."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        options = [f"--bind=127.0.0.1:{self.port}", "--workers=1", "--threads=1"]
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gunicorn", "--config=python:fido.serving.config"),
                *(*options, "fido.wsgi"),
            ],
            cwd=PROJECT,
            env=operators_environment(),
            stdout=subprocess.PIPE,
        )
        eventually(self.lives)

    def lives(self) -> bool:
        try:
            return self.sent(LIVEZ).recv(100).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def sent(self, data: bytes) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS)
        client.sendall(data)
        return client

    def refuses(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS).close()
        except ConnectionRefusedError:
            return True
        return False


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.process.kill()
    web.process.wait()


def _status(client: socket.socket) -> bytes:
    """The response, read to its end."""
    answer = b""
    with closing(client):
        while part := client.recv(65536):
            answer += part
    return answer.partition(b"\r\n")[0]


def test_asked_to_end_it_refuses_at_once_and_finishes_what_it_has(web: Web) -> None:
    under_way = web.sent(HALF)
    waiting = [web.sent(LIVEZ) for _ in range(3)]

    web.process.send_signal(signal.SIGTERM)

    # A listener that stays open accepts connections that nobody will serve.
    eventually(web.refuses)
    assert web.process.poll() is None
    under_way.sendall(b"x}")
    assert _status(under_way) == b"HTTP/1.1 400 Bad Request"
    assert [_status(client) for client in waiting] == [b"HTTP/1.1 200 OK"] * 3
    assert web.process.wait(DEADLINE_SECONDS) == 0


def test_asked_to_end_it_answers_whom_the_system_has_accepted(web: Web) -> None:
    (worker,) = descendants(web.process.pid)
    os.kill(worker, signal.SIGSTOP)
    # A process that has not stopped yet would still handle the other signal.
    eventually(lambda: _has_stopped(worker))
    waiting = [web.sent(LIVEZ) for _ in range(5)]
    web.process.send_signal(signal.SIGTERM)
    eventually(lambda: _was_sent(worker, signal.SIGTERM))

    os.kill(worker, signal.SIGCONT)

    assert [_status(client) for client in waiting] == [b"HTTP/1.1 200 OK"] * 5
    assert web.process.wait(DEADLINE_SECONDS) == 0


def test_workers_whose_master_was_killed_free_the_port(web: Web) -> None:
    """Whatever they are at: the next master wants to listen there."""
    (worker,) = descendants(web.process.pid)
    with closing(web.sent(HALF)):
        web.process.kill()

        eventually(web.refuses)
        os.kill(worker, signal.SIGKILL)


def _has_stopped(pid: int) -> bool:
    threads = Path(f"/proc/{pid}/task").glob("*/status")
    return all("State:\tT" in thread.read_text() for thread in threads)


def _was_sent(pid: int, sig: signal.Signals) -> bool:
    """Whether a signal is pending for a stopped process."""
    status = Path(f"/proc/{pid}/status").read_text()
    (waiting,) = [line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd:")]
    return bool(int(waiting, 16) & 1 << (sig - 1))


def test_a_probe_asks_by_a_name_that_is_allowed(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PORT", web.port)

    assert probe.main(["/livez"]) is None
    monkeypatch.setenv("ALLOWED_HOSTS", "elsewhere.example.org")
    assert str(probe.main(["/livez"])).startswith("400 ")


@pytest.mark.parametrize(
    ("allowed", "host"),
    [
        ("fido.example.org,localhost", "fido.example.org"),
        (".example.org", "example.org"),
        ("*", "localhost"),
        ("", "localhost"),
    ],
)
def test_the_first_allowed_name_is_asked_for(
    allowed: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", allowed)

    assert probe._host() == host


def test_a_probe_fails_where_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "PORT", 1)

    assert "Connection refused" in str(probe.main(["/livez"]))


def test_a_probe_looks_at_the_age_of_the_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "alive"
    monkeypatch.setenv("ALIVE_FILE", str(file))
    assert "No such file" in str(probe.main([]))

    file.touch()
    assert probe.main([]) is None
    past = time.time() - 60
    os.utime(file, (past, past))

    assert probe.main([]) == "No sign of life for 60 s."


@pytest.mark.django_db(transaction=True)
def test_a_worker_shows_that_it_has_its_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "alive"
    monkeypatch.setenv("ALIVE_FILE", str(file))

    with running_worker():
        eventually(file.exists)
        first = file.stat().st_mtime_ns
        eventually(lambda: file.stat().st_mtime_ns > first)


def test_beat_shows_that_it_looks_at_its_schedule(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "alive"
    scheduler = Scheduler(app=app, lazy=True)
    with override_settings(ALIVE_FILE=str(file)):
        monkeypatch.setattr(DatabaseScheduler, "tick", lambda self: 5.0)
        assert scheduler.tick() == 5.0
        assert file.exists()

        file.unlink()
        monkeypatch.setattr(DatabaseScheduler, "tick", _broken)
        with pytest.raises(RuntimeError):
            scheduler.tick()

    assert not file.exists()
    assert app.conf.beat_scheduler == "fido.scheduler:Scheduler"


def _broken(self: Any) -> float:
    raise RuntimeError("the schedule cannot be read")


class TestMakeSecrets:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        script = tmp_path / "fido" / "containers" / "make_secrets.sh"
        script.parent.mkdir(parents=True)
        shutil.copy(PROJECT / "fido/containers/make_secrets.sh", script)
        return tmp_path

    def make(self, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["sh", str(folder / "fido/containers/make_secrets.sh"), *arguments],
            check=False,
            capture_output=True,
            text=True,
        )

    def test_the_service_takes_what_it_makes(self, folder: Path) -> None:
        said = self.make(folder).stdout
        files = {file.name: file for file in (folder / ".secrets").iterdir()}
        env = Environment({f"{name}_FILE": str(file) for name, file in files.items()})

        assert len(env.secret("SECRET_KEY", "", 32)) == len(env.secret("JWT_SIGNING_KEY", "", 32))
        assert len(env.fernet_keys("FERNET_KEYS")) == len(env.index_keys("BLIND_INDEX_KEYS")) == 1
        assert len(env.token("METRICS_TOKEN") or "") == 32
        assert env.text("FIDO_DEMO_PASSWORD", "") in said
        password = files["POSTGRES_PASSWORD"].read_text().strip()
        assert env.text("DATABASE_URL", "") == f"postgres://fido:{password}@db:5432/fido"
        password = files["REDIS_PASSWORD"].read_text().strip()
        assert env.text("REDIS_URL", "") == f"redis://:{password}@redis:6379/0"
        assert files["REDIS_CONF"].read_text() == f"requirepass {password}\n"
        values = [file.read_text() for file in files.values()]
        assert len(set(values)) == len(values) == 11

    def test_only_its_owner_enters_their_folder(self, folder: Path) -> None:
        self.make(folder)

        assert (folder / ".secrets").stat().st_mode & 0o777 == 0o700
        assert [path.name for path in folder.iterdir() if "secret" in path.name] == [".secrets"]

    def test_what_is_there_is_never_changed(self, folder: Path) -> None:
        (folder / ".secrets").mkdir()
        (folder / ".secrets" / "FERNET_KEYS").write_text("dear")

        again = self.make(folder)

        assert (again.returncode, again.stdout) == (1, "")
        assert again.stderr == "There are secrets in .secrets already: nothing was changed.\n"
        assert [file.read_text() for file in (folder / ".secrets").iterdir()] == ["dear"]

    def test_without_a_demonstration_there_is_no_password_for_it(self, folder: Path) -> None:
        said = self.make(folder, "--without-demo").stdout

        assert (folder / ".secrets" / "FIDO_DEMO_PASSWORD").read_text() == "\n"
        assert "ada" not in said

    def test_what_it_does_not_know_it_refuses(self, folder: Path) -> None:
        refusal = self.make(folder, "--force")

        assert refusal.returncode == 2
        assert refusal.stderr.startswith("usage: sh fido/containers/make_secrets.sh [--without")
        assert not (folder / ".secrets").exists()

    def test_each_run_makes_others(self, folder: Path) -> None:
        first = self.make(folder).stdout
        shutil.rmtree(folder / ".secrets")

        assert self.make(folder).stdout != first
