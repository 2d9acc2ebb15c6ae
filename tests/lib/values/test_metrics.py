"""Counts of several processes: each in its own files, which the next process continues."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from fido.lib.values.metrics import Slot, exposition
from tests.client import ApiClient
from tests.fido.processes import PROJECT

PLANTED_ID = "01a200c1-ea96-779d-a24e-eeb593213645"
# Claims a number, prints it, and waits to be stopped. With "fork", a child does the same first.
HOLDER = """
import os, sys, time
from pathlib import Path
from fido.lib.values.metrics import Slot
slot = Slot(Path(sys.argv[1]))
print(slot(), flush=True)
if "fork" in sys.argv and os.fork() == 0:
    print(slot(), flush=True)
time.sleep(60)
"""


def holding(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), *arguments],
        cwd=PROJECT,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "fido.settings"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def number_of(holder: "subprocess.Popen[str]") -> int:
    assert holder.stdout
    return int(holder.stdout.readline())


def kill(holder: "subprocess.Popen[str]") -> None:
    os.killpg(holder.pid, signal.SIGKILL)
    holder.communicate()


def test_no_two_living_processes_have_one_number(tmp_path: Path) -> None:
    mine, holders = Slot(tmp_path), [holding(tmp_path) for _ in range(3)]

    numbers = [mine(), *map(number_of, holders)]

    assert sorted(numbers) == [0, 1, 2, 3]
    assert mine() == numbers[0]
    for holder in holders:
        kill(holder)


def test_the_number_of_a_killed_process_is_free_again(tmp_path: Path) -> None:
    holder = holding(tmp_path)
    assert number_of(holder) == 0

    kill(holder)

    assert Slot(tmp_path)() == 0


def test_a_fork_takes_a_number_of_its_own(tmp_path: Path) -> None:
    holder = holding(tmp_path, "fork")

    assert [number_of(holder), number_of(holder)] == [0, 1]
    kill(holder)


def test_who_counts_on_in_the_files_of_another_loses_nothing(tmp_path: Path) -> None:
    count = "from fido.lib.values.metrics import REDIS_OUTAGES, exposition\nREDIS_OUTAGES.inc(3)\n"
    count += "print(exposition().decode())"
    environment = {"DJANGO_SETTINGS_MODULE": "fido.settings"}
    environment |= {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}

    for total in ("3.0", "6.0", "9.0"):
        said = subprocess.check_output(
            [sys.executable, "-c", count], cwd=PROJECT, env=os.environ | environment, text=True
        )
        assert f"\nfido_redis_outages_total {total}\n" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.lock", "counter_0.db"]


def count_of(metric: str, **labels: str) -> float:
    wanted = [f'{name}="{value}"' for name, value in labels.items()]
    lines = [line for line in exposition().decode().splitlines() if line.startswith(metric + "{")]
    return sum(float(line.split()[-1]) for line in lines if all(each in line for each in wanted))


def requests(**labels: str) -> float:
    return count_of("fido_request_seconds_count", **labels)


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/users/{id}", {"route": "api/v1/users/<user_id:user_id>", "status": "200"}),
        ("GET", "/users/{id}/", {"route": "api/v1/users/<user_id:user_id>", "status": "200"}),
        ("GET", "/nope/ada", {"method": "GET", "route": "none", "status": "404"}),
        ("ADA", "/users/me", {"method": "other", "status": "405"}),
        ("DELETE", "/analytics", {"method": "DELETE", "route": "api/v1/analytics"}),
    ],
)
def test_a_request_counts_under_the_pattern_of_its_path(
    ada: ApiClient, method: str, path: str, labels: dict[str, str]
) -> None:
    before = requests(**labels)

    url = f"/api/v1{path}".format(id=ada.user_id)
    Client().generic(method, url, HTTP_AUTHORIZATION=f"Bearer {ada.token}")

    assert requests(**labels) == before + 1


def test_what_a_client_chooses_is_in_no_label(ada: ApiClient) -> None:
    ada.get(f"/users/{ada.user_id}/analytics", start="2019-07-31", currency="KWD")
    ada.get("/transactions", full_name="Ada Lovelace", external_id="planted")
    ada.get(f"/transactions/{PLANTED_ID}")
    Client().generic("PLANTED", "/planted?planted=planted", HTTP_X_REQUEST_ID="planted")

    text = exposition().decode()

    assert 'answer="history",source="miss"' in text
    planted = ["planted", "PLANTED", "Lovelace", "2019-07-31", "KWD", PLANTED_ID]
    assert [word for word in [*planted, f"users/{ada.user_id}"] if word in text] == []
