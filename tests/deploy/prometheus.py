"""A real Prometheus that scrapes a server of the tests, with our rules."""

import json
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

import pytest
import yaml

from tests.fido.processes import PROJECT
from tests.races import DEADLINE_SECONDS, wait_until

FOLDER = PROJECT / "deploy" / "prometheus"
# In an expression, without texts and labels, what is left are names of metrics and of functions.
NOT_A_METRIC = re.compile(r'"[^"]*"|\{[^}]*\}|\[[^]]*\]|\b(?:by|without|on|group_left)\s*\([^)]*\)')
NAME = re.compile(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\b(?!\s*\()")
OPERATORS = {"and", "or", "unless", "bool"}
# Prometheus' own; there are none while nothing fires.
BUILT_IN = {"ALERTS"}


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        shutil.which(program) is None,
        reason=f"NOT RUN: there is no {program} here; Debian's package prometheus brings it",
    )


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression names."""
    return set(NAME.findall(NOT_A_METRIC.sub(" ", expression))) - OPERATORS - BUILT_IN


class Prometheus:
    def __init__(self, port: int) -> None:
        self.port = port

    def api(self, path: str, **parameters: str) -> Any:
        """The answer's data; a refusal fails with what it says."""
        query = urllib.parse.urlencode(parameters)
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{query}"
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as answer:
                return json.load(answer)["data"]
        except HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.api("query", query=expression)["result"]
        return found

    def lives(self) -> bool:
        url = f"http://127.0.0.1:{self.port}/-/ready"
        with suppress(URLError, ConnectionError), urllib.request.urlopen(url, timeout=5):
            return True
        return False

    def metrics(self) -> set[str]:
        return set(self.api("label/__name__/values"))

    def rules(self) -> list[Any]:
        return [rule for group in self.api("rules")["groups"] for rule in group["rules"]]


@contextmanager
def scraping(port: int, token: str, folder: Path) -> Iterator[Prometheus]:
    """As in the example configuration, but each second, and this server."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        own = free.getsockname()[1]
    command = ["prometheus", f"--config.file={_configuration(port, token, folder)}"]
    command += [f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{own}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        prometheus = Prometheus(own)
        wait_until(lambda: prometheus.lives() or process.poll() is not None)
        assert process.poll() is None, (folder / "log").read_text()
        yield prometheus
    finally:
        process.terminate()
        process.wait(DEADLINE_SECONDS)


def _configuration(port: int, token: str, folder: Path) -> Path:
    ours = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    ours["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), "1s")
    ours["rule_files"] = [str(FOLDER / name) for name in ours["rule_files"]]
    (job,) = ours["scrape_configs"]
    (folder / "token").write_text(token)
    job["authorization"]["credentials_file"] = str(folder / "token")
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(ours))
    return folder / "prometheus.yml"
