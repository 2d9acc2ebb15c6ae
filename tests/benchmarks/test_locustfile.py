"""What puts load on a deployment finds its answers right, and says so where one is not."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.factories import PASSWORD, UserFactory
from tests.fido.processes import (
    PROJECT,
    alive,
    descendants,
    eventually,
    strangers_environment,
)
from tests.races import DEADLINE_SECONDS
from tests.stub_server import QuietHandler, StubServer
from tests.webserver import WebServer, serving

needs_locust = pytest.mark.skipif(find_spec("locust") is None, reason="`make test` installs it")
# What comes of an answer's status and body, and which failure that is.
Tampering = dict[str, tuple[Callable[[int, Any], tuple[int, Any]], str]]
TAMPERING: Tampering = {
    "GET /analytics": (lambda s, b: (s, {**b, "total_transactions": 0}), "stale: 0 transactions"),
    "GET /users/me/analytics/series": (lambda s, b: (s, {}), "KeyError('interval')"),
    "GET /transactions/analytics": (lambda s, b: (s, _with_debits(b)), "a debit among the credits"),
    "GET /transactions": (lambda s, b: (s, _upside_down(b)), "the history is not in order"),
    "POST /transactions/bulk": (lambda s, b: (s, {**b, "created": 1}), "not all of the bulk"),
    "GET /currencies_converted": (lambda s, b: (s, {**b, "sum": "-1"}), "the sum is not that"),
    "DELETE /wallets": (lambda s, b: (500, {"code": "bug"}), "500 instead of 204: bug"),
}
ROUTES = {
    *("POST /auth/register", "POST /auth/login", "POST /auth/refresh", "POST /auth/logout"),
    "GET /users/me",
    *("GET /analytics", "GET /users/me/analytics/series?interval=month"),
    *("GET /transactions", "GET /transactions?cursor={}"),
    "GET /transactions/analytics?transaction_type=credit",
    *("POST /transactions", "POST /transactions (again)", "POST /transactions/bulk"),
    *("GET /transactions/{id}", "PATCH /transactions/{id}", "DELETE /transactions/{id}"),
    "GET /transactions/{id} (deleted)",
    *("POST /wallets", "DELETE /wallets/{name}"),
    *("GET /wallets/{name}/currencies", "POST /wallets/{name}/currencies"),
    "POST /wallets/{name}/currencies/{code}/funds",
    "POST /wallets/{name}/currencies/{code}/funds (too much)",
    "GET /currencies_converted?to=PLN",
}


def each_task(address: str) -> Any:
    """What was asked, and what failed, with each task done."""
    done = _run("tests.each_task", address)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def swarmed(address: str, **variables: str) -> tuple[int, str]:
    """What locust says of three users who come, and leave a second later, and its status."""
    options = ("--headless", "--only-summary", "--users=3", "--spawn-rate=3", "--run-time=1s")
    done = _run("locust", *options, "--stop-timeout=300", "--host", address, **variables)
    return done.returncode, done.stdout + done.stderr


def _run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        check=False,
        cwd=PROJECT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
    )


@contextmanager
def tampered(server: WebServer, tampering: Tampering) -> Iterator[str]:
    """The address of a proxy that changes answers."""

    class Proxy(QuietHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {**self.headers, "Connection": "close"}
            answer = server.request(self.command, self.path, self.rfile.read(length), **headers)
            status, content = answer.status, answer.content
            if known := _tampering_with(tampering, self.command, self.path):
                status, body = known(status, json.loads(content or "null"))
                content = json.dumps(body).encode()
            self.send_response(status)
            for name in ("ETag", "Idempotent-Replayed"):
                if value := answer.headers[name]:
                    self.send_header(name, value)
            if status not in {204, 304}:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(b"" if status in {204, 304} else content)

        do_GET = do_POST = do_PATCH = do_DELETE = handle_any  # noqa: N815

    with StubServer(Proxy).open() as stub:
        yield stub.url


def _tampering_with(tampering: Tampering, method: str, path: str) -> Any:
    route = path.partition("?")[0].removeprefix("/api/v1")
    route = re.sub(r"^(/wallets)/load-[^/]*$", r"\1", route)
    tamper, _ = tampering.get(f"{method} {route}", (None, None))
    return tamper


@pytest.fixture
def server(transactional_db: None) -> Iterator[WebServer]:
    with serving("--threads=4") as server:
        yield server


@needs_locust
class TestTasks:
    def test_each_one_succeeds_and_together_they_ask_for_all_routes(
        self, server: WebServer
    ) -> None:
        found = each_task(f"http://127.0.0.1:{server.port}")

        assert found == {"asked": sorted(ROUTES), "failures": {}}
        assert '"path": "/api/v1/transactions", "status": 304' in server.log()

    def test_a_wrong_answer_is_a_failure_with_a_name(self, server: WebServer) -> None:
        with tampered(server, TAMPERING) as address:
            failures = each_task(address)["failures"]

        for route, (_, fault) in TAMPERING.items():
            said = [error for name, error in failures.items() if name.startswith(route)]
            assert any(fault in error for error in said), (route, failures)
        assert len(failures) == len(TAMPERING), failures


def _upside_down(page: Any) -> Any:
    return page and page | {"results": page["results"][::-1]}


def _with_debits(found: Any) -> Any:
    return found | {"by_currency": [{"total_debit": "0.01"}]}


@needs_locust
class TestSwarm:
    def test_locust_ends_well_where_every_answer_is_right(self, server: WebServer) -> None:
        status, said = swarmed(f"http://127.0.0.1:{server.port}/")

        assert status == 0, said
        assert "/auth/logout" in said

    def test_a_host_that_is_no_address_is_refused(self) -> None:
        status, said = swarmed("localhost:8000")

        assert status == 1
        assert "A host is given as an address, such as http://localhost:8000." in said
        assert "/auth/register" not in said

    def test_locust_fails_where_an_answer_is_wrong(self, server: WebServer) -> None:
        with tampered(server, {"GET /users/me": (lambda s, b: (404, None), "")}) as address:
            status, said = swarmed(address)

        assert status == 1
        assert "404 instead of 200: no problem document" in said

    def test_whom_nobody_lets_register_shares_an_account(self, transactional_db: None) -> None:
        with serving("--threads=4", REGISTRATIONS_PER_ADDRESS="1/1h") as server:
            first = swarmed(f"http://127.0.0.1:{server.port}")
            second = swarmed(f"http://127.0.0.1:{server.port}")

        assert first[0] == 0, first
        assert second[0] == 1
        assert "Nobody may register any more: set LOAD_LOGINS, or wait." in second[1]

    def test_logins_that_are_given_register_nobody(self, server: WebServer) -> None:
        address = f"http://127.0.0.1:{server.port}"
        people = [UserFactory.create(username=name) for name in ("ada", "ben")]
        logins = "\n".join(f"{person.username}:{PASSWORD}" for person in people)

        status, said = swarmed(address, LOAD_LOGINS=logins)
        refused = swarmed(address, LOAD_LOGINS="ada:another")

        assert status == 0, said
        assert "/auth/register" not in said
        assert refused[0] == 1
        assert "ada cannot log in." in refused[1]

    @pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
    @pytest.mark.storm
    def test_make_load_starts_a_service_and_leaves_nothing_of_it(self) -> None:
        parent = Path(tempfile.mkdtemp(prefix="fido-test-"))
        parent.chmod(0o711)
        output = parent.with_suffix(".output")
        with output.open("wb") as log:
            swarm = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.swarm", "--users=1", "--run-time=1h"],
                cwd=PROJECT,
                env=strangers_environment(TMPDIR=str(parent)),
                stdout=log,
                stderr=log,
            )
        eventually(lambda: "All users spawned" in output.read_text() or swarm.poll() is not None)
        family = descendants(swarm.pid)

        swarm.send_signal(signal.SIGINT)

        assert swarm.wait(DEADLINE_SECONDS) == 0, output.read_text()
        assert "Aggregated" in output.read_text()
        assert len(family) > 8
        assert alive(family) == set()
        assert list(parent.iterdir()) == []
        parent.rmdir()
        output.unlink()


def test_nothing_of_it_is_in_this_process_or_in_production(request: pytest.FixtureRequest) -> None:
    production = (PROJECT / "requirements.txt").read_text()

    assert request.config.pluginmanager.is_blocked("locust")
    assert "gevent" not in sys.modules
    assert "gevent" not in production
    assert "locust" not in production
