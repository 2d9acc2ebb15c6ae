"""One installation for all of these tests, set up as the README tells a newcomer to."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.containers.customer import Customer
from tests.containers.engine import NOT_RUN, Engine, engine
from tests.containers.stack import Stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("containers")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report a missing engine in one line, instead of once per test."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]) for report in skipped]
    for reason in {reason for reason in reasons if NOT_RUN in reason}:
        terminalreporter.write_line(f"{reason} ({reasons.count(reason)} tests).")


@pytest.fixture(scope="session")
def _engine() -> Iterator[Engine]:
    with engine() as found:
        yield found


@pytest.fixture(scope="session")
def built(_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Secrets generated and images built, but nothing started."""
    stack = Stack(_engine, tmp_path_factory.mktemp("containers"))
    stack.make_secrets()
    began = time.monotonic()
    try:
        stack.compose("--profile", "test", "build", timeout=1200)
        print(f"\nBuilt in {time.monotonic() - began:.0f} s.")
        yield stack
    finally:
        stack.remove()


@pytest.fixture(scope="session")
def stack(built: Stack) -> Stack:
    """Started, with every service healthy."""
    print(f"\nUp for the first time in {built.up():.1f} s.")
    return built


@pytest.fixture
def customer(stack: Stack) -> Customer:
    return Customer(stack.port)
