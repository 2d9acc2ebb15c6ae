"""Real PostgreSQL and Valkey for the test run: a pytest plugin, loaded with `-p tests.servers`.

With DATABASE_URL and REDIS_URL set, the tests use those servers instead. Under pytest-xdist the
first process starts PostgreSQL for all of them; each other one has a database there, which
pytest-django makes, and a Valkey of its own, or a numbered database of the one that is given.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fido import embedded
from fido.embedded import valkey
from fido.embedded.process import Account
from fido.embedded.servers import Host
from fido.embedded.state import VALKEY, State

# A test may hold a lock for as long as the machine is slow. A statement's limit is as long.
PATIENCE = {"LOCK_TIMEOUT_SECONDS": "30"}
# Says to the other processes that they may start servers of their own too.
EMBEDDED = "TESTS_ON_EMBEDDED_VALKEY"


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    # A wrapper, because pytest-django reads the settings in this very hook.
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    stack = contextlib.ExitStack()
    early_config.add_cleanup(stack.close)
    folder = stack.enter_context(_folder())
    found = of_one_of_many(folder, int(worker[2:])) if worker else of_the_first(folder)
    os.environ.update(stack.enter_context(found) | PATIENCE)
    return (yield)


@contextlib.contextmanager
def environment() -> Iterator[dict[str, str]]:
    """For one process alone."""
    with _folder() as folder, of_the_first(folder) as found:
        yield found


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="fido-tests-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def of_the_first(folder: Path) -> Iterator[dict[str, str]]:
    """What the settings read; secrets are made anew for each run."""
    is_given = bool(os.environ.get("REDIS_URL"))
    try:
        if os.environ.get("DATABASE_URL") and is_given:
            yield embedded.generated(State(folder))
        else:
            with embedded.running(folder, fast=True) as up:
                yield up | ({} if is_given else {EMBEDDED: "yes"})
    except embedded.StartRefused as refusal:
        raise pytest.UsageError(str(refusal)) from refusal


@contextlib.contextmanager
def of_one_of_many(folder: Path, number: int) -> Iterator[dict[str, str]]:
    """What such a process has for itself; the rest is as in the first."""
    numbered = {
        name: url_of_database(os.environ[name], number)
        for name in ("REDIS_URL", "CELERY_BROKER_URL")
        if os.environ.get(name)
    }
    found = numbered | {"IMPORTS_DIR": str(folder / "imports")}
    if EMBEDDED in os.environ:
        with own_valkey(State(folder)) as url:
            yield found | {"REDIS_URL": url}
    else:
        yield found


def url_of_database(url: str, number: int) -> str:
    return urlsplit(url)._replace(path=f"/{number}").geturl()


@contextlib.contextmanager
def own_valkey(place: State) -> Iterator[str]:
    """Its URL. It ends with this process, whichever way that goes."""
    lock = place.open_lock("owner")
    server = valkey.start(Host(place, Account(), lock, fast=True))
    try:
        yield f"redis://:{place.secrets()[VALKEY]}@127.0.0.1:{server.port}/0"
    finally:
        server.stop()
        os.close(lock)


def operators_environment(**variables: str) -> dict[str, str]:
    """For a process that an operator would start, without DJANGO_SETTINGS_MODULE."""
    ours = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return ours | variables
