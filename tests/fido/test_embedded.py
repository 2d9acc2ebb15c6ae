"""The embedded servers: real ones, in separate state folders, observed from other processes."""

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from fido import embedded
from fido.embedded import postgres, process, servers, state
from fido.env import Environment
from tests.fido.holder import HOLD, Holder
from tests.fido.processes import alive, descendants, eventually, strangers_environment
from tests.races import DEADLINE_SECONDS

# initdb needs a user with a name, and this one has a name everywhere.
DAEMON = 1
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused or drop to others")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture(autouse=True)
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = strangers_environment()
    for name in os.environ.keys() - environment.keys():
        monkeypatch.delenv(name)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path with a space, which an unprivileged user can enter."""
    parent = Path(tempfile.mkdtemp(prefix="fido test-"))
    parent.chmod(0o711)
    yield parent / "the state"
    shutil.rmtree(parent)


def test_both_servers_answer_and_nothing_is_left_of_them_afterwards(folder: Path) -> None:
    with embedded.serving(folder, fast=True) as up:
        with psycopg.connect(up.environment["DATABASE_URL"]) as connection:
            settings = "SELECT lower('ÄÖŻ'), current_setting('timezone'), current_database()"
            assert connection.execute(settings).fetchone() == ("äöż", "UTC", "fido")
        valkey = redis.Redis.from_url(up.environment["REDIS_URL"])
        assert valkey.config_get("maxmemory-policy") == {"maxmemory-policy": "volatile-ttl"}
        assert valkey.info("server")["valkey_version"].startswith("9.")
        valkey.close()

    assert [server.process.poll() for server in up.servers] == [0, 0]
    assert not (folder / "servers.json").exists()
    assert not (folder / "postgres/postmaster.pid").exists()


def test_a_second_start_finds_data_and_secrets(folder: Path) -> None:
    with embedded.running(folder, fast=True) as first:
        with psycopg.connect(first["DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 19.99 AS amount")
        redis.Redis.from_url(first["REDIS_URL"]).set("kept", "19.99")

    with embedded.running(folder, fast=True) as second:
        with psycopg.connect(second["DATABASE_URL"]) as connection:
            rows = connection.execute("SELECT amount::text FROM kept").fetchall()
        assert rows == [("19.99",)]
        assert redis.Redis.from_url(second["REDIS_URL"]).get("kept") == b"19.99"
    generated = ("SECRET_KEY", "JWT_SIGNING_KEY", "FERNET_KEYS", "BLIND_INDEX_KEYS")
    assert [first[name] for name in generated] == [second[name] for name in generated]


def test_what_the_person_has_set_wins(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "chosen")
    monkeypatch.setenv("ALLOWED_HOSTS", "")

    made = embedded.generated(embedded.State(folder))

    assert made["SECRET_KEY"] == "chosen"
    assert made["ALLOWED_HOSTS"] == "localhost,127.0.0.1,[::1]"


@on_linux
def test_what_is_given_by_file_is_not_given_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("x" * 40)
    monkeypatch.delenv("SECRET_KEY", raising=False)
    monkeypatch.setenv("SECRET_KEY_FILE", str(tmp_path / "key"))

    made = embedded.generated(embedded.State(folder))

    assert Environment(os.environ | made).secret("SECRET_KEY", "a key", 32) == "x" * 40
    assert len(made["JWT_SIGNING_KEY"]) > 32


def test_passwords_are_asked_for_and_shown_to_nobody(folder: Path) -> None:
    with embedded.serving(folder, fast=True) as up:
        url, port = up.environment["DATABASE_URL"], up.servers[1].port
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(url.replace("fido:", "fido:x", 1))
        with psycopg.connect(url) as connection:
            stored = "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolcanlogin"
            assert connection.execute(stored).fetchall() == [(True,)]
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()

        secrets = json.loads((folder / "secrets.json").read_text())
        lines = subprocess.check_output(["ps", "-Awwo", "args"], text=True)
        assert not [name for name, value in secrets.items() if value in lines]
    readable = [path.name for path in folder.iterdir() if path.is_file() and _open_to_others(path)]
    assert readable == []


def _open_to_others(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def test_a_guest_uses_the_owners_servers_and_leaves_them_up(folder: Path) -> None:
    with embedded.running(folder, fast=True) as owner:
        with embedded.serving(folder) as guest:
            assert guest.environment == owner
            assert guest.servers == ()
        psycopg.connect(owner["DATABASE_URL"]).close()


def test_an_owner_waits_for_its_guests_and_says_so(folder: Path) -> None:
    owner = Holder(folder)
    assert owner.environment()["owner"] == "True"
    guest = Holder(folder)
    url = guest.environment()["DATABASE_URL"]
    assert owner.process.stdin
    assert owner.process.stdout
    owner.process.stdin.close()
    assert "waiting for them to finish" in owner.process.stdout.readline()

    psycopg.connect(url).close()
    guest.leave()

    assert owner.process.wait(DEADLINE_SECONDS) == 0
    owner.process.stdout.close()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)


def test_an_owner_that_insists_does_not_wait_for_guests(folder: Path) -> None:
    owner = Holder(folder, "own")
    owner.environment()
    guest = Holder(folder)
    guest.environment()

    assert owner.leave() == ""

    assert owner.process.returncode == 0
    guest.leave()


def test_insisting_on_servers_that_another_process_has_is_refused_with_its_pid(
    folder: Path,
) -> None:
    with embedded.running(folder, fast=True):
        expected = f"{folder} is in use by process {os.getpid()}: stop it first."
        with pytest.raises(embedded.StartRefused) as refusal, embedded.running(folder, own=True):
            pass

    assert str(refusal.value) == expected


@on_linux
def test_killing_the_owner_leaves_no_process_and_no_data_is_lost(folder: Path) -> None:
    owner = Holder(folder)
    with psycopg.connect(owner.environment()["DATABASE_URL"], autocommit=True) as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000)")
    family = descendants(owner.process.pid)
    assert len(family) >= 4

    owner.kill()

    eventually(lambda: not alive(family))
    with (
        embedded.running(folder, fast=True) as again,
        psycopg.connect(again["DATABASE_URL"]) as connection,
    ):
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


@on_linux
def test_nobody_can_own_the_folder_before_the_last_server_has_gone(folder: Path) -> None:
    owner = Holder(folder)
    owner.environment()
    note = embedded.State(folder).note()
    assert note
    os.kill(note.valkey, signal.SIGSTOP)

    owner.kill()
    eventually(lambda: not alive({note.postgres}))
    owned_while_valkey_stood_still = embedded.State(folder).lock("owner", fcntl.LOCK_EX)
    os.kill(note.valkey, signal.SIGCONT)

    assert owned_while_valkey_stood_still is None
    with embedded.serving(folder, fast=True) as up:
        assert up.servers


@on_linux
def test_killing_the_owner_while_it_starts_leaves_no_process(folder: Path) -> None:
    owner = Holder(folder)
    eventually((folder / "postgres.new").exists)
    family = descendants(owner.process.pid)

    owner.kill()

    eventually(lambda: not alive(family))
    with embedded.running(folder, fast=True) as up:
        psycopg.connect(up["DATABASE_URL"]).close()


@on_linux
def test_where_the_system_ends_no_orphans_the_next_start_does(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "ORPHAN_SECONDS", 0.2)
    careless = "import fido.embedded.process as p; p.end_with_parent = lambda sig: None\n"
    monkeypatch.setattr(sys.modules[__name__], "HOLD", careless + HOLD)
    owner = Holder(folder)
    owner.environment()
    family = descendants(owner.process.pid)
    note = embedded.State(folder).note()
    assert note
    owner.kill()
    # PostgreSQL's short-lived workers may end by themselves.
    servers = {note.postgres, note.valkey}
    assert alive(servers) == servers

    with embedded.running(folder, fast=True) as up:
        assert alive(family) == set()
        psycopg.connect(up["DATABASE_URL"]).close()


@as_root
@on_linux
def test_root_runs_them_unprivileged_even_in_a_folder_that_is_closed_to_others(
    folder: Path,
) -> None:
    folder.parent.chmod(0o700)
    with embedded.serving(folder, fast=True) as up:
        for server in up.servers:
            assert os.stat(f"/proc/{server.process.pid}").st_uid == process.NOBODY
        with psycopg.connect(up.environment["DATABASE_URL"], autocommit=True) as connection:
            connection.execute("CREATE TABLE written AS SELECT generate_series(1, 100000)")
            connection.execute("CHECKPOINT")
        redis.Redis.from_url(up.environment["REDIS_URL"]).bgrewriteaof()


@as_root
@on_linux
def test_killing_roots_owner_in_a_closed_folder_leaves_no_process(folder: Path) -> None:
    folder.parent.chmod(0o700)
    owner = Holder(folder)
    owner.environment()
    family = descendants(owner.process.pid)

    owner.kill()

    eventually(lambda: not alive(family))


@as_root
def test_root_without_capabilities_is_told_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "CAPABILITIES", (None,))
    folder.parent.chmod(0o700)

    with pytest.raises(embedded.StartRefused, match="set FIDO_STATE to a folder open to all"):
        embedded.running(folder).__enter__()


@as_root
def test_an_ordinary_user_can_run_them_and_nobody_else_that_state(folder: Path) -> None:
    os.chown(folder.parent, DAEMON, DAEMON)
    owner = Holder(folder, "as", "daemon")
    owner.environment()
    owner.leave()

    with pytest.raises(embedded.StartRefused, match=f"belongs to user {DAEMON}"):
        embedded.running(folder).__enter__()


@as_root
def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    owner = Holder(folder, "as", "daemon")

    assert owner.leave() == f"Cannot keep state in {folder}: Permission denied.\n"
    assert owner.process.returncode == 1


def test_too_little_space_is_said_before_anything_is_made(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "MIN_FREE_BYTES", 2**60)

    with pytest.raises(
        embedded.StartRefused,
        match=r"^The disk of .* is too full: \d+ MB are free, and \d+ MB are needed\.$",
    ):
        embedded.running(folder).__enter__()

    assert not (folder / "postgres").exists()


def test_a_cluster_of_another_major_version_is_left_alone(folder: Path) -> None:
    cluster = embedded.State(folder).folder / "postgres"
    cluster.mkdir()
    (cluster / "PG_VERSION").write_text("17\n")
    if os.geteuid() == 0:
        os.chown(cluster, process.NOBODY, process.NOBODY)

    with pytest.raises(embedded.StartRefused, match="was made by PostgreSQL 17, and this is 18"):
        embedded.running(folder).__enter__()

    assert os.listdir(cluster) == ["PG_VERSION"]


def test_a_server_that_dies_at_its_start_is_quoted_and_the_other_ended(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres.SETTINGS, "shared_buffers", "plenty")

    with pytest.raises(embedded.StartRefused, match=r"PostgreSQL exited while starting: .*plenty"):
        embedded.running(folder, fast=True).__enter__()

    with embedded.State(folder).refusing():
        assert embedded.State(folder).lock("owner", fcntl.LOCK_EX) is not None


def test_a_port_taken_meanwhile_is_replaced_by_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_port, asked = servers._free_port, []
    with embedded.serving(folder.parent / "other", fast=True) as other:
        taken = [server.port for server in other.servers]

        def next_port() -> int:
            asked.append(taken.pop() if taken else free_port())
            return asked[-1]

        monkeypatch.setattr(servers, "_free_port", next_port)
        with embedded.running(folder, fast=True) as up:
            psycopg.connect(up["DATABASE_URL"]).close()

    assert len(asked) == 4


def test_wheels_that_are_missing_are_named_with_the_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "WHEEL", "no_such_wheel")

    with pytest.raises(embedded.StartRefused, match=r"install requirements-run.txt"):
        embedded.running(folder).__enter__()
