"""A process in which a thread is stuck for good ends itself, is started again, and is useful."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.db import connection, transaction

from accounts.models import User
from analytics import tasks
from analytics.models import DailyTotals
from fido.celery import app
from fido.embedded.launcher import ChildDied, Family
from fido.lib.process.statuses import STUCK
from tests.client import ApiClient
from tests.cut_line import Line, laid
from tests.factories import UserFactory, record
from tests.fido.processes import PROJECT, descendants, eventually
from tests.races import waiting_for_locks
from tests.servers import operators_environment
from tests.webserver import WebServer, serving

pytestmark = pytest.mark.django_db(transaction=True)
CELERY = ("-W", "ignore::UserWarning", "-m", "celery", "--quiet", "-A", "tests.stuck")
WORKER = (*CELERY, "worker", "--pool=threads", "--concurrency=2", "--loglevel=WARNING")
BEAT = (*CELERY, "beat", "--max-interval=1", "--pidfile=", "--loglevel=WARNING")
LIMIT = {"STATEMENT_TIMEOUT_SECONDS": "1"}
SCHEDULE = "LOCK TABLE django_celery_beat_periodictasks IN ACCESS EXCLUSIVE MODE"


@pytest.fixture
def line() -> Iterator[Line]:
    with laid() as line:
        yield line


@contextmanager
def silenced_meanwhile(line: Line, sql: str, *parameters: Any) -> Iterator[None]:
    """Lock something. A statement of the process then waits for it, and never hears of its end."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        yield
        eventually(lambda: waiting_for_locks() == 1)
        line.silence()
        # PostgreSQL has cancelled it.
        eventually(lambda: waiting_for_locks() == 0)


@contextmanager
def family(line: Line, **variables: str) -> Iterator[Family]:
    """As `make run` starts the service's processes, and keeps them running."""
    here = {"DATABASE_URL": line.url, "LOG_LEVEL": "WARNING", "PYTHONPATH": str(PROJECT)}
    family = Family(operators_environment(**LIMIT | here | variables))
    try:
        yield family
    finally:
        family.end()


def replaced(service: Family, name: str, process: Any) -> bool:
    service.check()
    return service.children[name] is not process


def last_words(log: str) -> dict[str, Any]:
    """The one line about the end of a process."""
    (line,) = [line for line in log.splitlines() if "No progress" in line]
    return dict(json.loads(line))


def have_folded(user: User) -> bool:
    tasks.sweep_totals.delay()
    return not DailyTotals.objects.filter(user=user, pending=True).exists()


def test_a_worker_one_of_whose_threads_is_stuck(line: Line, capfd: Any) -> None:
    user = UserFactory.create()
    record(user)
    with family(line) as service:
        worker = service.start("The worker", *WORKER, death_signal=signal.SIGKILL)
        lock = "SELECT FROM analytics_dailytotals WHERE user_id = %s FOR UPDATE"
        with silenced_meanwhile(line, lock, user.pk):
            pass  # the job that recording has asked for

        eventually(lambda: replaced(service, "The worker", worker))
        eventually(lambda: have_folded(user))

    assert worker.returncode == STUCK
    said = last_words(capfd.readouterr().out)
    assert said["level"] == "critical"
    assert said["event"] == "No progress: the process ends, to be started again."
    assert (said["work"], said["seconds"]) == ("analytics.fold_totals", 120)
    assert any("fold" in line for line in said["at"])


def test_a_worker_whose_main_loop_is_stuck(line: Line, capfd: Any) -> None:
    user = UserFactory.create()
    with family(line) as service:
        worker = service.start("The worker", *WORKER, death_signal=signal.SIGKILL)
        eventually(lambda: bool(app.control.ping(timeout=1.0)))
        app.control.broadcast("hang")

        eventually(lambda: replaced(service, "The worker", worker))
        record(user)
        eventually(lambda: have_folded(user))

    assert worker.returncode == STUCK
    said = last_words(capfd.readouterr().out)
    assert said["work"] == "the loop that takes jobs from the queue"


def test_beat_that_is_stuck(line: Line, capfd: Any, tmp_path: Path) -> None:
    alive = tmp_path / "alive"
    with family(line, ALIVE_FILE=str(alive)) as service:
        beat = service.start("Beat", *BEAT, death_signal=signal.SIGKILL)
        eventually(alive.exists)
        with silenced_meanwhile(line, SCHEDULE):
            pass

        eventually(lambda: replaced(service, "Beat", beat))
        alive.unlink()
        eventually(alive.exists)

    assert beat.returncode == STUCK
    assert last_words(capfd.readouterr().out)["work"] == "a look at the schedule"


def edited(server: WebServer, ada: ApiClient, row_id: Any) -> int | None:
    """The status of an edit; None if the connection ended without one."""
    headers = {"Authorization": f"Bearer {ada.token}", "Content_Type": "application/json"}
    try:
        path, body = f"/api/v1/transactions/{row_id}", json.dumps({"category": "rent"})
        return int(server.request("PATCH", path, body, **headers).status)
    except (OSError, HTTPException):
        return None


def test_a_web_process_one_of_whose_threads_is_stuck(ada: ApiClient, line: Line) -> None:
    row = record(User.objects.get(pk=ada.user_id))
    lock = "SELECT FROM transactions_transaction WHERE user_id = %s FOR UPDATE"
    with (
        serving("--config=python:tests.stuck", DATABASE_URL=line.url, **LIMIT) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        first = descendants(server.pid)
        with silenced_meanwhile(line, lock, ada.user_id):
            request = pool.submit(edited, server, ada, row.pk)

        assert request.result() is None
        assert edited(server, ada, row.pk) == 200
        assert not first & descendants(server.pid)
        assert last_words(server.log())["work"] == "a request"


def test_a_web_process_whose_main_loop_is_stuck() -> None:
    with serving("--timeout=1") as server:
        (first,) = descendants(server.pid)
        os.kill(first, signal.SIGSTOP)

        eventually(lambda: first not in descendants(server.pid))
        assert server.request("GET", "/livez").status == 200


# Goes on, and then no more if it is told so. A round takes 0.02 s, and 120 of them are the limit.
AT_WORK = """
import select, sys, time
import django
django.setup()
from fido.lib.process import watchdog
watchdog.ROUND_SECONDS = 0.02
watchdog.begin("something")
watchdog.watch()
print("begun", flush=True)
while not select.select([sys.stdin], [], [], 0.05)[0]:
    watchdog.progressed()
"""


class AtWork:
    """A process of its own that does as it is told."""

    def __init__(self, then: str) -> None:
        command = [sys.executable, "-c", AT_WORK + then]
        self.process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=operators_environment(DJANGO_SETTINGS_MODULE="fido.settings"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == b"begun\n"

    def go_on(self) -> tuple[int, bytes]:
        """Its status, and what it has said."""
        said, _ = self.process.communicate(b"\n")
        return self.process.returncode, said


def test_what_goes_on_lasts_as_long_as_it_likes_and_what_has_ended_is_not_watched() -> None:
    at_work = AtWork("watchdog.end(); time.sleep(5)")
    time.sleep(5)

    assert at_work.go_on() == (0, b"")


def test_a_process_that_was_stopped_has_not_been_stuck() -> None:
    at_work = AtWork("")
    at_work.process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    at_work.process.send_signal(signal.SIGCONT)
    time.sleep(1)

    assert at_work.go_on() == (0, b"")


def test_a_process_whose_log_is_stuck_ends_too() -> None:
    """Nobody reads its standard output, and whoever writes to the log waits for ever."""
    at_work = AtWork("watchdog.LOG_SECONDS = 1.0\nwhile True: print('x' * 65536, flush=True)")
    assert at_work.process.stdin
    at_work.process.stdin.write(b"\n")
    at_work.process.stdin.flush()

    assert at_work.process.wait() == STUCK


@pytest.mark.parametrize("status", [0, 1])
def test_make_run_starts_no_process_again_that_ended_otherwise(line: Line, status: int) -> None:
    with family(line) as service:
        process = service.start("A process", "-c", f"raise SystemExit({status})")
        with pytest.raises(ChildDied, match=f"A process has ended .with status {status}."):
            eventually(lambda: replaced(service, "A process", process))


def test_compose_starts_them_again() -> None:
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]

    for name in ("web", "worker", "beat"):
        assert services[name]["restart"] == "unless-stopped"


@pytest.mark.parametrize(
    ("variables", "least"),
    [({}, 70), ({"STATEMENT_TIMEOUT_SECONDS": "100"}, 110)],
)
def test_the_limit_is_longer_than_any_wait(variables: dict[str, str], least: int) -> None:
    start = [sys.executable, "-c", "from fido.settings import PROGRESS_SECONDS as p; print(p)"]

    def started(**more: str) -> str:
        environment = operators_environment(**variables, **more)
        done = subprocess.run(
            start, check=False, cwd=PROJECT, env=environment, capture_output=True, text=True
        )
        return done.stdout + done.stderr.strip().rpartition("\n")[2]

    assert started() == f"{2 * (least - 10)}\n"
    refused = f"PROGRESS_SECONDS must be a whole number of at least {least}."
    assert started(PROGRESS_SECONDS=str(least - 1)).endswith(refused)
