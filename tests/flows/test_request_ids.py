"""A request's id travels with the jobs that the request causes, into the worker's log."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.client import ApiClient
from tests.fido.processes import eventually
from tests.imports import csv, upload
from tests.worker import running_worker
from transactions.imports import spool


@pytest.mark.django_db(transaction=True)
def test_what_a_job_logs_has_the_id_of_the_request_that_asked_for_it(
    ada: ApiClient, tmp_path: Path
) -> None:
    answer = upload(ada, csv("2026-01-31,1.00,credit"), request_id="of-the-upload-7")
    spool.discard(answer.json()["id"])
    log = tmp_path / "log"

    with log.open("wb") as output, running_worker(output=output):
        eventually(lambda: "is not on this machine" in log.read_text())

    (line,) = [line for line in _lines(log) if "is not on this machine" in line["event"]]
    assert answer.headers["X-Request-ID"] == line["request_id"] == "of-the-upload-7"
    assert answer.json()["id"] in line["event"]


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
