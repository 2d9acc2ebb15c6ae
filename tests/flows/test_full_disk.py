"""The database's disk is full: writes say so, reads go on, and the service is not ready."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.client import ApiClient
from tests.fido.processes import eventually
from tests.webserver import WebServer, serving
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"transaction_amount": "1.00", "transaction_type": "credit"}
BODY |= {"transaction_date": "2026-01-31"}
TABLE = "ALTER TABLE transactions_transaction SET TABLESPACE"
TOKEN = "a-token-for-prometheus"


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)


@contextmanager
def mounted() -> Iterator[Path]:
    """A file system of 2 MB that PostgreSQL's account may write to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        place = Path(folder, "small")
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0777", "tmpfs", str(place)]
        if os.geteuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
            pytest.skip("only root can mount a file system")
        try:
            yield place
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def disk() -> Iterator[Path]:
    """The disk of the transactions and of temporary files."""
    name = f"small_{os.getpid()}"
    database = connection.settings_dict["NAME"]
    with mounted() as place:
        data = place / "data"
        data.mkdir()
        data.chmod(0o777)
        os.chown(data, 65534, 65534)
        run(f"CREATE TABLESPACE {name} LOCATION '{data}'", f"{TABLE} {name}")
        run(f'ALTER DATABASE "{database}" SET temp_tablespaces = {name}')
        try:
            yield place
        finally:
            (place / "rest").unlink(missing_ok=True)
            run(f'ALTER DATABASE "{database}" RESET temp_tablespaces')
            run("TRUNCATE transactions_transaction CASCADE", f"{TABLE} pg_default")
            run(f"DROP TABLESPACE {name}")


def fill(disk: Path) -> None:
    with suppress(OSError), (disk / "rest").open("wb", buffering=0) as rest:
        while rest.write(bytes(4096)):
            pass


def send(server: WebServer, ada: ApiClient, method: str, path: str, body: Any = None) -> Any:
    headers = {"Authorization": f"Bearer {ada.token}", "Content_Type": "application/json"}
    data = None if body is None else json.dumps(body)
    return server.request(method, f"/api/v1{path}", data, **headers)


def checks(server: WebServer) -> Any:
    return json.loads(server.request("GET", "/readyz").content)["checks"]


def test_writes_say_so_reads_go_on_and_it_is_not_ready_until_there_is_room(
    ada: ApiClient, disk: Path
) -> None:
    with serving(METRICS_TOKEN=TOKEN) as server:
        assert send(server, ada, "GET", "/transactions").status == 200
        fill(disk)

        refused = send(server, ada, "POST", "/transactions", BODY)
        assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
        assert checks(server)["database"] == "DiskFull"
        assert send(server, ada, "GET", "/transactions").status == 200
        assert not Transaction.objects.exists()
        assert '"sqlstate": "53100"' in server.log()
        metrics = server.request("GET", "/metrics", Authorization=f"Bearer {TOKEN}").content
        assert b'fido_database_errors_total{kind="disk-full"} 1.0' in metrics

        (disk / "rest").unlink()
        eventually(lambda: checks(server)["database"] == "ok")
        assert send(server, ada, "POST", "/transactions", BODY).status == 201
