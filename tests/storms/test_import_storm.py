"""A worker is killed half-way through the import of a million rows."""

import csv
import os
import random
import signal
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection

from tests.client import ApiClient
from tests.imports import HEADER
from tests.races import wait_until
from tests.webserver import WebServer, serving
from tests.worker import Worker, running_worker
from transactions.imports import tasks
from transactions.imports.models import Import
from transactions.models import Transaction

pytestmark = [pytest.mark.storm, pytest.mark.django_db(transaction=True)]

ROWS = 1_000_000
MEMORY_BYTES = 300 * 1024 * 1024
DEADLINE_SECONDS = 900
BOUNDARY = "a-line-that-is-in-no-file"


def test_a_million_rows_outlive_a_killed_worker(ada: ApiClient, tmp_path: Path) -> None:
    file, credit, debit = _file(tmp_path / "rows.csv")
    with serving() as web:
        import_id = _upload(web, ada, file)
    peaks: list[int] = []

    with running_worker() as worker:
        for row in _looks(import_id):
            peaks.append(_memory(worker))
            if row.rows_created > ROWS // 3:
                break
        # Only the worker: its children have to notice by themselves.
        os.kill(worker.process.pid, signal.SIGKILL)
        worker.process.wait()
        wait_until(lambda: _group(worker) == [])
        worker.start()
        for row in _looks(import_id):
            tasks.resume_imports.apply_async(expires=1)  # as beat does, though more often
            peaks.append(_memory(worker))
            if row.status != Import.Status.RUNNING:
                break

    assert (row.status, row.rows_created, row.rows_refused) == ("done", ROWS, 0)
    # Each amount is in one line: no row was lost, none came twice.
    assert _scalar("count(*)") == _scalar("count(DISTINCT transaction_amount)") == ROWS
    body = ada.get("/analytics").json()
    assert (body["total_credit"], body["total_debit"]) == (str(credit), str(debit))
    assert body["total_transactions"] == ROWS
    in_clear = "full_name NOT LIKE 'gAAAAA%%' OR full_name LIKE '%%Person%%'"
    assert _scalar(f"count(*) FILTER (WHERE {in_clear})") == 0
    assert set(_some_names()) <= {f"Person {n}" for n in range(5000)}
    print(f"the worker and its processes held {max(peaks) >> 20} MiB at the most")
    assert max(peaks) < MEMORY_BYTES


def _file(path: Path) -> tuple[Path, Decimal, Decimal]:
    """The file, and the sums of its credits and debits."""
    chance, sums = random.Random(1), {"credit": 0, "debit": 0}
    with path.open("w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow([*HEADER.split(","), "full_name", "description"])
        for number in range(1, ROWS + 1):
            kind = chance.choice(["credit", "debit"])
            day = f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}T12:00:00Z"
            amount = f"{number // 100}.{number % 100:02}"
            name = f"Person {chance.randrange(5000)}"
            writer.writerow([day, amount, kind, name, f"Invoice {number}, paid"])
            sums[kind] += number
    return path, *(Decimal(sums[kind]).scaleb(-2) for kind in ("credit", "debit"))  # type: ignore[return-value]


def _upload(web: WebServer, client: ApiClient, file: Path) -> UUID:
    answer = web.request(
        "POST",
        "/api/v1/imports",
        body=_form(file),
        Authorization=f"Bearer {client.token}",
        Content_Type=f"multipart/form-data; boundary={BOUNDARY}",
    )
    assert answer.status == 202, answer.content
    return UUID(answer.headers["Location"].rpartition("/")[2])


def _form(file: Path) -> Iterator[bytes]:
    disposition = 'Content-Disposition: form-data; name="file"; filename="rows.csv"'
    yield f"--{BOUNDARY}\r\n{disposition}\r\n\r\n".encode()
    with file.open("rb") as source:
        while piece := source.read(1024 * 1024):
            yield piece
    yield f"\r\n--{BOUNDARY}--\r\n".encode()


def _looks(import_id: UUID) -> Iterator[Import]:
    """The state of the import, again and again."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        yield Import.objects.get(id=import_id)
        time.sleep(0.2)
    raise AssertionError("the import did not end")


def _memory(worker: Worker) -> int:
    """Bytes that the worker and its children hold; shared memory is counted for each."""
    pages = 0
    for pid in _group(worker):
        try:
            pages += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        except OSError:
            continue  # it has exited since
    return pages * os.sysconf("SC_PAGE_SIZE")


def _group(worker: Worker) -> list[int]:
    pids = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        state, group = fields[0], int(fields[2])
        if group == worker.process.pid and state != "Z":
            pids.append(int(entry.name))
    return pids


def _scalar(expression: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression} FROM transactions_transaction")
        return int(cursor.fetchone()[0])


def _some_names() -> list[str]:
    return list(Transaction.objects.values_list("full_name", flat=True)[:2000])
