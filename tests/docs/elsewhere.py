"""Which blocks tests/docs/test_commands.py does not run, what runs them instead, and why."""

from dataclasses import dataclass

from tests.docs.pages import Block


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """One block. `where` is the file that runs its commands, and `shows` is what it has for that.

    If nothing runs them, both are empty, and `why` says what stands in the way.
    """

    page: str
    begins: str
    where: str = ""
    shows: str = ""
    why: str

    def is_about(self, block: Block) -> bool:
        return block.page == self.page and block.text.startswith(self.begins)


LISTED = (
    Elsewhere(
        page="README.md",
        begins="make run     # the service",
        where=".ci/run",
        shows="\n.ci/first-start\nmake check\nmake docs\nmake test\n",
        why="One test runs all tests: CI runs both, `make run` in a fresh clone.",
    ),
    Elsewhere(
        page="README.md",
        begins="git clone",
        where=".ci/first-start",
        shows='"git", "clone"',
        why="It installs packages, which takes long: CI does it, from this repository.",
    ),
    Elsewhere(
        page="CONTRIBUTING.md",
        begins="make run      # the service",
        where=".ci/run",
        shows="\nmake check\n",
        why="As in the README.",
    ),
    Elsewhere(
        page="docs/servers.md",
        begins="python3 -m venv .venv",
        where="Dockerfile",
        shows="--require-hashes -r requirements.txt",
        why="It installs packages: the image is built in the same way.",
    ),
    Elsewhere(
        page="docs/servers.md",
        begins="python manage.py createsuperuser",
        why="It is Django's own, and asks a person at a terminal.",
    ),
    Elsewhere(
        page="docs/servers.md",
        begins="gunicorn --config",
        where="tests/webserver.py",
        shows='"--config=python:fido.serving.config"',
        why="They run until they are stopped. Tests start the same web server, and "
        "tests/fido/test_queues.py compares the worker's command with the launcher's.",
    ),
    Elsewhere(
        page="docs/backup.md",
        begins="python manage.py backup_check /backups && echo",
        why="It writes where a node exporter looks, outside of any folder of ours. The command "
        "itself is run on the same page.",
    ),
    Elsewhere(
        page="docs/clients.md",
        begins="make clients",
        where=".ci/run",
        shows="\nmake lint-schema\nmake test-clients\n",
        why="It installs generators: CI does it, and drives both clients.",
    ),
    Elsewhere(
        page="docs/development.md",
        begins="make storms",
        where=".ci/run",
        shows="\nmake storms\n",
        why="It takes an hour; CI runs it with its own times.",
    ),
    Elsewhere(
        page="docs/development.md",
        begins=".venv/bin/locust",
        where="tests/benchmarks/test_locustfile.py",
        shows='_run("locust", *options',
        why="It serves a page until it is stopped. A test runs each of its tasks.",
    ),
    Elsewhere(
        page="docs/containers.md",
        begins="sh fido/containers/make_secrets.sh",
        where="tests/containers/stack.py",
        shows='["sh", "fido/containers/make_secrets.sh"]',
        why="Each test of containers begins with it, on one installation for all.",
    ),
    Elsewhere(
        page="docs/containers.md",
        begins="docker compose --profile test run",
        where="tests/containers/test_image.py",
        shows='"--profile", "test"',
        why="It is the whole suite: a test of containers runs a part of it.",
    ),
)


def is_listed(block: Block) -> bool:
    return any(entry.is_about(block) for entry in LISTED)


def is_for_containers(block: Block) -> bool:
    """Whether tests/containers/test_documented.py runs it."""
    return "docker " in block.text and not is_listed(block)
