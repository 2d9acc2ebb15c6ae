"""A real Celery worker on the test database."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings
from django.db import connection

from fido.celery import app
from tests.races import DEADLINE_SECONDS
from tests.servers import operators_environment


def url_of_test_database() -> str:
    """`DATABASE_URL` of the database that the tests are using."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return urlunsplit(parts._replace(path="/" + quote(connection.settings_dict["NAME"])))


class Worker:
    """`celery -A fido worker` in its own process group."""

    def __init__(
        self,
        *,
        concurrency: int = 2,
        output: BinaryIO | None = None,
        app: str = "fido",
        **variables: str,
    ) -> None:
        self.concurrency, self.output, self.app = concurrency, output, app
        self.variables = {"DATABASE_URL": url_of_test_database(), "LOG_LEVEL": "WARNING"}
        self.variables |= variables
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "celery", "-A", self.app, "worker", "--loglevel=WARNING"]
        command += ["--pool", "threads", "--concurrency", str(self.concurrency)]
        command += ["--without-gossip", "--without-mingle"]
        self.process = subprocess.Popen(
            [*command, f"--hostname=test-{time.monotonic_ns()}@localhost"],
            env=operators_environment(**self.variables),
            cwd=settings.BASE_DIR,
            start_new_session=True,
            stdout=self.output,
        )
        self._wait_until_ready()

    def kill(self) -> None:
        """Kill it and its pool with -9, wherever they are."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(DEADLINE_SECONDS)

    def _wait_until_ready(self) -> None:
        started, waited = time.monotonic(), 0.0
        # Asked too early it never answers, and on a slow machine it answers late.
        while not _answers(within_seconds=0.1 + waited / 10):
            waited = time.monotonic() - started
            if self.process.poll() is not None or waited > DEADLINE_SECONDS:
                raise RuntimeError("the worker did not start")


def _answers(*, within_seconds: float) -> bool:
    return bool(app.control.broadcast("ping", reply=True, timeout=within_seconds, limit=1))


@contextmanager
def running_worker(
    *,
    concurrency: int = 2,
    output: BinaryIO | None = None,
    app: str = "fido",
    **variables: str,
) -> Iterator[Worker]:
    """A worker with these more environment variables."""
    worker = Worker(concurrency=concurrency, output=output, app=app, **variables)
    try:
        yield worker
    finally:
        worker.stop()
