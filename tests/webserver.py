"""Fido as deployed: gunicorn in a separate process, reached over a socket."""

import contextlib
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.db import connection

from tests.races import DEADLINE_SECONDS
from tests.servers import operators_environment

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class WebServer:
    port: int
    output: Path
    pid: int

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The response, with its body read into `.content`. An iterable body is sent in chunks."""
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        with contextlib.closing(client):
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            # A body that is too large is answered before all of it has arrived.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                client.request(method, path, body=body, headers=names)
            answer: Any = client.getresponse()
            answer.content = answer.read()
            return answer

    def raw(self, data: bytes) -> bytes:
        """Everything until the server closes, for bytes that no client library sends."""
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE_SECONDS) as connected:
            answer = b""
            with contextlib.suppress(OSError):
                connected.sendall(data)
                connected.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while part := connected.recv(65536):
                    answer += part
            return answer

    def log(self) -> str:
        return self.output.read_text()


@contextlib.contextmanager
def serving(*more: str, **variables: str) -> Iterator[WebServer]:
    """Gunicorn on the test's database, or as `variables` say; `more` are its own options."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as bound:
        output = Path(folder) / "output"
        options = [f"--bind=fd://{bound.fileno()}", "--config=python:fido.serving.config"]
        options += ["--workers=1", "--threads=1"]
        with output.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gunicorn", *options, *more, "fido.wsgi"],
                cwd=PROJECT,
                env=operators_environment(**{"DATABASE_URL": _test_database()} | variables),
                stdout=log,
                stderr=log,
                pass_fds=[bound.fileno()],
            )
        server = WebServer(bound.getsockname()[1], output, process.pid)
        try:
            _wait_until_live(server)
            yield server
        finally:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def _test_database() -> str:
    url = urlsplit(os.environ["DATABASE_URL"])
    return url._replace(path="/" + connection.settings_dict["NAME"]).geturl()


def _wait_until_live(server: WebServer) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            if server.request("GET", "/livez").status == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, server.log()
        time.sleep(0.05)
