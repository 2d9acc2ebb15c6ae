"""Real PostgreSQL and Valkey for the test run: a pytest plugin, loaded with `-p tests.servers`.

With DATABASE_URL and REDIS_URL set, the tests use those servers instead.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fido import embedded


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Iterator[None]:
    # A wrapper, because pytest-django reads the settings in this same hook.
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        stack = contextlib.ExitStack()
        early_config.add_cleanup(stack.close)
        os.environ.update(stack.enter_context(environment()))
    return (yield)


@contextlib.contextmanager
def environment() -> Iterator[dict[str, str]]:
    """The settings' variables, with new secrets for each run."""
    folder = Path(tempfile.mkdtemp(prefix="fido-tests-"))
    folder.chmod(0o711)
    try:
        if os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL"):
            yield embedded.generated(embedded.State(folder))
        else:
            with embedded.running(folder, fast=True) as up:
                yield up
    except embedded.StartRefused as refusal:
        raise pytest.UsageError(str(refusal)) from refusal
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def operators_environment(**variables: str) -> dict[str, str]:
    """For a process that an operator would start, without DJANGO_SETTINGS_MODULE."""
    ours = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    return ours | variables
