"""The launcher of `make run`, as a person and a crash see it: real processes from start to end."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest

from fido import embedded
from fido.embedded import launcher
from tests.fido.processes import (
    OURS,
    PROJECT,
    alive,
    descendants,
    eventually,
    python,
    strangers_environment,
)
from tests.races import DEADLINE_SECONDS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@contextlib.contextmanager
def new_folder() -> Iterator[Path]:
    parent = Path(tempfile.mkdtemp(prefix="fido test-"))
    parent.chmod(0o711)
    yield parent / "state"
    shutil.rmtree(parent)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """One state folder for the module, so later tests restart on it, even after a crash."""
    with new_folder() as folder:
        # To load the demonstration takes a while.
        embedded.State(folder).keep_demo_password("kept from the first start")
        yield folder


@pytest.fixture
def without_demonstration() -> Iterator[Path]:
    """A state folder for a first start."""
    with new_folder() as folder:
        yield folder


class Service:
    """A launcher in a separate process."""

    def __init__(self, folder: Path, *prefix: str, **variables: str) -> None:
        self.port = _free_port()
        self.log = folder.parent / "output"
        self.note, self.address = folder / "servers.json", folder / "address"
        places = {"PORT": str(self.port), "FIDO_STATE": str(folder)}
        environment = strangers_environment(**places, **variables)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "fido.embedded.launcher"],
                env=environment,
                cwd=PROJECT,
                stdout=output,
                stderr=output,
            )

    def has_servers(self) -> bool:
        return "Bringing the database" in self.said()

    def wait_until_up(self) -> set[int]:
        """Wait for the greeting; return every process under the launcher, and the launcher."""
        self.wait_for(lambda: "Fido is up" in self.said())
        return {self.process.pid} | descendants(self.process.pid)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        def holds() -> bool:
            assert self.process.poll() is None, self.said()
            return condition()

        eventually(holds)

    def said(self) -> str:
        return self.log.read_text()

    def named(self, word: str) -> int:
        """The process under the launcher whose command line contains `word`."""
        return min(pid for pid in descendants(self.process.pid) if word in _command(pid))


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def launched(folder: Path, **variables: str) -> Iterator[Service]:
    service = Service(folder, **variables)
    try:
        yield service
    finally:
        service.process.kill()
        service.process.wait()


@pytest.fixture
def service(folder: Path) -> Iterator[Service]:
    with launched(folder) as service:
        yield service


def test_it_serves_until_it_is_asked_to_end_and_leaves_no_process(service: Service) -> None:
    family = service.wait_until_up()
    for word in ("postgres", "valkey-server", "gunicorn", "worker", "beat"):
        assert service.named(word)
    with urllib.request.urlopen(f"http://127.0.0.1:{service.port}/livez") as answer:
        assert answer.status == 200
    assert f"http://127.0.0.1:{service.port}/api/docs" in service.said()
    assert service.address.read_text() == f"http://127.0.0.1:{service.port}\n"
    assert "ada (a customer) or admin (staff), with the password kept from" in service.said()
    assert list((service.note.parent / "metrics").glob("histogram_*.db"))

    service.process.send_signal(signal.SIGTERM)

    assert service.process.wait(DEADLINE_SECONDS) == 0
    assert alive(family) == set()
    assert not service.note.exists()
    assert not service.address.exists()
    assert service.said().endswith("\nStopped.\n")


def test_the_death_of_one_process_ends_all_and_is_named(service: Service) -> None:
    family = service.wait_until_up()

    os.kill(service.named("beat"), signal.SIGKILL)

    assert service.process.wait(DEADLINE_SECONDS) == 1
    assert "Celery beat has ended (by SIGKILL)." in service.said()
    assert alive(family) == set()


def test_killing_the_launcher_leaves_no_process(service: Service) -> None:
    family = service.wait_until_up()

    service.process.kill()

    eventually(lambda: not alive(family))


def test_killing_what_started_the_launcher_ends_it(folder: Path) -> None:
    # Like `make`, the shell waits for the launcher, and cannot pass on a kill -9.
    service = Service(folder, "/bin/sh", "-c", '"$@"; exit 1', "sh")
    service.wait_for(service.has_servers)
    family = descendants(service.process.pid)
    assert len(family) >= 4

    service.process.kill()
    service.process.wait()

    eventually(lambda: not alive(family))
    assert service.said().endswith("Stopped.\n")


@pytest.mark.parametrize("step", ["Bringing the database's tables", "Starting the web server"])
def test_ctrl_c_while_it_starts_is_a_clean_end(service: Service, step: str) -> None:
    ends_cleanly_at(service, step)


def ends_cleanly_at(service: Service, step: str) -> None:
    service.wait_for(lambda: step in service.said())
    family = {service.process.pid} | descendants(service.process.pid)
    assert len(family) >= 4

    service.process.send_signal(signal.SIGINT)

    assert service.process.wait(DEADLINE_SECONDS) == 0
    assert alive(family) == set()
    assert "Traceback" not in service.said()


def test_a_migration_that_fails_ends_the_start(
    without_demonstration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in OURS:
        monkeypatch.delenv(name, raising=False)
    execute(without_demonstration, "CREATE TABLE accounts_user ()")
    fails_to_prepare(without_demonstration, 'relation "accounts_user" already exists')


def execute(folder: Path, statement: LiteralString) -> None:
    with (
        embedded.running(folder) as environment,
        psycopg.connect(environment["DATABASE_URL"]) as connection,
    ):
        connection.execute(statement)


def test_a_demonstration_that_fails_ends_the_start(without_demonstration: Path) -> None:
    reason = "FIDO_DEMO_PASSWORD is not acceptable: "
    fails_to_prepare(without_demonstration, reason, FIDO_DEMO_PASSWORD="1234")


def fails_to_prepare(folder: Path, reason: str, **variables: str) -> None:
    with launched(folder, **variables) as service:
        service.wait_for(service.has_servers)
        family = descendants(service.process.pid)
        assert service.process.wait(DEADLINE_SECONDS) == 1

    assert reason in service.said()
    assert service.said().endswith("Stopping ...\nPreparing the database failed.\n")
    assert alive(family) == set()
    assert embedded.State(folder).demo_password() is None


def test_ctrl_c_while_the_demonstration_loads_is_a_clean_end(without_demonstration: Path) -> None:
    with launched(without_demonstration) as service:
        ends_cleanly_at(service, "Loading the demonstration")

    assert embedded.State(without_demonstration).demo_password() is None


def test_when_it_says_that_it_is_up_one_can_log_in(without_demonstration: Path) -> None:
    with launched(without_demonstration) as service:
        service.wait_until_up()
        password = embedded.State(without_demonstration).demo_password()
        login = urllib.request.Request(
            f"{service.address.read_text().strip()}/api/v1/auth/login",
            json.dumps({"username": "ada", "password": password}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(login) as answer:
            assert "access_token" in json.load(answer)
        # Otherwise the servers would still write into the folder while it is removed.
        service.process.terminate()
        assert service.process.wait(DEADLINE_SECONDS) == 0
    assert f"with the password {password}" in service.said()


def test_bytecode_is_in_the_state_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPYCACHEPREFIX", raising=False)
    # Set where nothing may be written beside the sources.
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = os.environ | launcher.bytecode(embedded.State(tmp_path))

    subprocess.check_call([sys.executable, "-c", "import fido.env"], env=environment, cwd=PROJECT)

    kept = tmp_path / "bytecode" / PROJECT.relative_to("/") / "fido"
    assert list(kept.glob("env.*.pyc"))


def refusal(**variables: str) -> str:
    process = python("-m", "fido.embedded.launcher", env=strangers_environment(**variables))
    said, _ = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == 1
    return said


def test_a_used_port_is_refused_in_one_sentence_before_anything_starts(tmp_path: Path) -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as used:
        port = str(used.getsockname()[1])
        said = refusal(PORT=port, FIDO_STATE=str(tmp_path / "state"))

    expected = f"Port {port} is not available (Address already in use): set PORT to another one.\n"
    assert said == expected
    assert not (tmp_path / "state").exists()


def test_without_a_port_the_next_free_one_is_taken_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PORT", raising=False)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as used:
        taken = used.getsockname()[1]
        monkeypatch.setattr(launcher, "PORTS", range(taken, taken + 50))

        port = launcher.chosen_port()

    assert port > taken
    assert capsys.readouterr().out == f"Port {taken} is taken, so this is on port {port}.\n"


def test_the_password_is_shown_again_or_how_to_get_one(tmp_path: Path) -> None:
    def asked() -> tuple[int, str]:
        environment = strangers_environment(FIDO_STATE=str(tmp_path))
        process = python("-m", "fido.embedded.password", env=environment)
        said, _ = process.communicate(timeout=DEADLINE_SECONDS)
        return process.returncode, said

    assert asked() == (1, "There is no demonstration yet: `make run` loads one.\n")
    embedded.State(tmp_path).keep_demo_password("a-password")
    assert asked() == (0, "a-password\n")


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "²"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, port: str) -> None:
    monkeypatch.setenv("PORT", port)

    with pytest.raises(embedded.StartRefused, match="PORT must be a number from 1 to 65535"):
        launcher.chosen_port()


def test_one_server_named_and_the_other_not_is_refused() -> None:
    for name, value in (("REDIS_URL", "redis://127.0.0.1:6379/0"), ("REDIS_URL_FILE", "/a/file")):
        said = refusal(PORT=str(_free_port()), **{name: value})

        assert said == "Only REDIS_URL is set: set DATABASE_URL and REDIS_URL both, or neither.\n"
