"""The container engine of this machine, or one that a script starts if there is none.

The script is named by CONTAINER_STACK, or found beside the repository. It accepts `install`,
`start`, `bases` (builds the base images), `stop` and `purge`, and listens in STACK_STATE.
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fido.processes import PROJECT, strangers_environment

NOT_RUN = "NOT RUN"
SCRIPT = Path("shared/containers/stack.sh")


@dataclass(frozen=True)
class Engine:
    environment: dict[str, str]
    # For machines where build steps reach package registries only through the host network.
    builds_on_host: bool = False

    def docker(self, *arguments: str, timeout: float = 600, **options: object) -> str:
        """The client's output; a failure reports what it said."""
        done = subprocess.run(
            ["docker", *arguments],
            check=False,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            **options,  # type: ignore[call-overload]
        )
        assert done.returncode == 0, f"docker {' '.join(arguments)}\n{done.stdout}{done.stderr}"
        return str(done.stdout)


@contextlib.contextmanager
def engine() -> Iterator[Engine]:
    """Skips if there is none."""
    environment = strangers_environment(BUILDKIT_PROGRESS="plain", COMPOSE_ANSI="never")
    script = Path(os.environ.get("CONTAINER_STACK") or PROJECT.parent / SCRIPT)
    if _answers(environment):
        yield Engine(environment)
    elif script.is_file() and os.geteuid() == 0:
        with _brought(script, environment) as brought:
            yield brought
    else:
        pytest.skip(f"{NOT_RUN}: no container engine answers here, and CONTAINER_STACK brings none")


def _answers(environment: dict[str, str]) -> bool:
    if shutil.which("docker") is None:
        return False
    commands = (["docker", "version"], ["docker", "compose", "version"])
    return all(
        subprocess.run(command, check=False, env=environment, capture_output=True).returncode == 0
        for command in commands
    )


@contextlib.contextmanager
def _brought(script: Path, environment: dict[str, str]) -> Iterator[Engine]:
    """Leaves the machine as it was: a running engine stays up, and our own state is removed."""
    kept = os.environ.get("STACK_STATE")
    state = kept or tempfile.mkdtemp(prefix="fido-engine-")
    environment = environment | {
        "STACK_STATE": state,
        "DOCKER_HOST": f"unix://{state}/docker.sock",
    }
    ran = _answers(environment)

    def run(step: str) -> None:
        subprocess.run([str(script), step], check=True, env=environment, timeout=900)

    try:
        for step in ("install", "start", "bases"):
            run(step)
        yield Engine(environment, builds_on_host=True)
    finally:
        if not ran:
            run("stop" if kept else "purge")
