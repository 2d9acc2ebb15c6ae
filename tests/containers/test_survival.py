"""Acknowledged writes survive, whatever is killed, stopped or taken down meanwhile."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.containers.customer import Customer, Writers
from tests.containers.stack import IMAGE, Stack

RECOVERY_SECONDS = 30
LOAD = Path(__file__).with_name("load.py")


@pytest.fixture(autouse=True)
def _all_up_again(stack: Stack) -> Iterator[None]:
    yield
    stack.up()


@pytest.mark.parametrize("service", ["worker", "beat", "redis"])
def test_writes_and_reads_go_on_without(service: str, stack: Stack, customer: Customer) -> None:
    writers = Writers(customer)

    with writers.writing():
        stack.compose("kill", "--signal=KILL", service)
        writers.wait_for_more()
        acknowledged = len(writers.acknowledged)
        assert customer.analytics()["total_transactions"] >= acknowledged
        stack.compose("start", service)
        stack.wait_until_healthy()
        writers.wait_for_more()

    writers.assert_kept()


@pytest.mark.parametrize("service", ["db", "web"])
def test_writes_and_reads_recover_from_the_death_of(
    service: str, stack: Stack, customer: Customer
) -> None:
    writers = Writers(customer)

    with writers.writing():
        stack.compose("kill", "--signal=KILL", service)
        stack.compose("start", service)
        began = time.monotonic()
        writers.wait_for_more()
        assert time.monotonic() - began < RECOVERY_SECONDS
        stack.wait_until_healthy()
        acknowledged = len(writers.acknowledged)
        assert customer.analytics()["total_transactions"] >= acknowledged

    writers.assert_kept()


def test_data_outlives_the_containers(stack: Stack, customer: Customer) -> None:
    ids = [customer.record() for _ in range(5)]

    stack.compose("down")
    stack.up()

    assert sorted(customer.ids()) == sorted(ids)


def test_a_web_server_that_is_stopped_under_load_loses_no_request(
    stack: Stack, customer: Customer
) -> None:
    inside = f"{stack.name}_inside"
    address = stack.container("web")["NetworkSettings"]["Networks"][inside]["IPAddress"]
    command = ["docker", "run", "--rm", "--interactive", f"--network={inside}", IMAGE]
    command += ["python", "-c", LOAD.read_text(), address, customer.token]
    load = subprocess.Popen(
        command, env=stack.engine.environment, stdout=subprocess.PIPE, text=True
    )
    assert load.stdout
    assert load.stdout.readline() == "on\n"

    stack.compose("stop", "web")

    fates = Counter(json.loads(load.communicate(timeout=60)[0]))
    assert stack.container("web")["State"]["ExitCode"] == 0
    stack.up()
    print(f"\n{dict(fates)}")
    answered = fates.pop("201")
    assert answered > 100
    assert all(fate.startswith("no connection") for fate in fates), fates
    assert sum(fates.values()) == 8
    assert len(customer.ids()) == answered
    assert Decimal(customer.analytics()["total_credit"]) == Decimal("0.01") * answered


def test_totals_are_right_after_all_that(stack: Stack) -> None:
    run = ("run", "--rm", "--no-deps", "worker", "python", "manage.py", "check_totals")

    assert stack.compose(*run)
