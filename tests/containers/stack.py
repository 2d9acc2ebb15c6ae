"""A newcomer's copy of the repository, and the service that its compose file starts."""

import json
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.containers.engine import Engine
from tests.fido.processes import PROJECT

# Files that a clone does not have, or that must not be copied from a developer's checkout.
NOT_CLONED = shutil.ignore_patterns(
    *(".git", ".venv", ".fido", ".secrets*", ".env", "static", "__pycache__", ".*_cache", ".hypo*")
)
HEALTHY_SECONDS = 120
IMAGE, TEST_IMAGE = "fido-containers-test", "fido-containers-test-suite"
BUILT = ("migrate", "web", "worker", "beat", "test")
ON_HOST = {"services": {name: {"build": {"network": "host"}} for name in BUILT}}


class Stack:
    """One installation, with its own name and port."""

    def __init__(self, engine: Engine, parent: Path) -> None:
        self.folder = parent / "fido"
        shutil.copytree(PROJECT, self.folder, ignore=NOT_CLONED, symlinks=True)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        self.name = f"fido-containers-test-{self.port}"
        files = ["docker-compose.yml"]
        if engine.builds_on_host:
            (parent / "on-host.json").write_text(json.dumps(ON_HOST))
            files.append("../on-host.json")
        ours = {"COMPOSE_PROJECT_NAME": self.name, "COMPOSE_FILE": ":".join(files)}
        ours |= {"PORT": str(self.port), "FIDO_IMAGE": IMAGE, "FIDO_TEST_IMAGE": TEST_IMAGE}
        self.engine = Engine(engine.environment | ours, engine.builds_on_host)

    def make_secrets(self) -> None:
        subprocess.run(["sh", "fido/containers/make_secrets.sh"], check=True, cwd=self.folder)

    def secrets(self) -> dict[str, str]:
        return {
            file.name: file.read_text().strip() for file in (self.folder / ".secrets").iterdir()
        }

    def compose(self, *arguments: str, **options: Any) -> str:
        return self.engine.docker("compose", *arguments, cwd=self.folder, **options)

    def up(self) -> float:
        """Start it; return the seconds that the command and the wait for health took."""
        began = time.monotonic()
        self.compose("up", "-d")
        self.wait_until_healthy()
        return time.monotonic() - began

    def wait_until_healthy(self) -> None:
        deadline = time.monotonic() + HEALTHY_SECONDS
        while left := self.not_healthy():
            assert time.monotonic() < deadline, f"{left}\n{self.compose('logs', '--tail=20')}"
            time.sleep(0.3)

    def not_healthy(self) -> list[str]:
        return [
            f"{one['Service']}: {one['State']} {one['Health']} {one['ExitCode']}"
            for one in self.containers()
            if (one["State"], one["Health"]) != ("running", "healthy")
            and (one["Service"], one["State"], one["ExitCode"]) != ("migrate", "exited", 0)
        ]

    def containers(self) -> list[dict[str, Any]]:
        rows = self.compose("ps", "-a", "--format", "json").strip()
        return json.loads(rows) if rows.startswith("[") else list(map(json.loads, rows.split("\n")))

    def ids(self, service: str) -> list[str]:
        return [one["ID"] for one in self.containers() if one["Service"] == service]

    def container(self, service: str) -> Any:
        """The `docker inspect` output of a service's only container."""
        (found,) = self.ids(service)
        return json.loads(self.engine.docker("inspect", found))[0]

    def logged(self, service: str) -> list[str]:
        """What its container has written to standard output."""
        return self.engine.docker("logs", self.container(service)["Id"]).splitlines()

    def remove(self) -> None:
        """Remove all of it, with its data and images."""
        self.compose("--profile", "test", "down", "--volumes", "--remove-orphans", "--timeout=20")
        for image in (IMAGE, TEST_IMAGE):
            subprocess.run(
                ["docker", "image", "rm", "--force", image],
                check=False,
                env=self.engine.environment,
                capture_output=True,
            )
