"""A million rows of one snapshot pass through a web process in constant memory."""

import contextlib
import http.client
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from django.db.models import Max, Min, Sum

from accounts.models import User
from fido.lib.values import clock
from tests.client import ApiClient
from tests.factories import UserFactory, record
from tests.histories import add_copies
from tests.webserver import WebServer, serving
from transactions import operations
from transactions.files.columns import NAMES as COLUMNS
from transactions.models import Transaction

ROWS = 1_000_000
MEGABYTE = 1024 * 1024
AMOUNT = COLUMNS.index("transaction_amount")

pytestmark = [
    pytest.mark.storm,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory in /proc"),
]


class Memory(threading.Thread):
    """Measures the memory of the server's worker, without pause."""

    def __init__(self, server: WebServer) -> None:
        super().__init__(daemon=True)
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        (self.worker,) = map(int, children.split())
        self.before = self.highest = self.now()
        self.done = threading.Event()

    def now(self) -> int:
        """Resident bytes."""
        lines = Path(f"/proc/{self.worker}/status").read_text().splitlines()
        (kilobytes,) = (line.split()[1] for line in lines if line.startswith("VmRSS"))
        return int(kilobytes) * 1024

    def run(self) -> None:
        while not self.done.wait(0.05):
            self.highest = max(self.highest, self.now())


@dataclass
class Received:
    """What a client received of a file, without storing it."""

    rows: int = 0
    total: Decimal = Decimal(0)
    first: bytes = b""
    last: bytes = b""
    seconds_to_first_byte: float = 0
    seconds: float = 0

    def take(self, line: bytes) -> None:
        self.rows += 1
        self.first = self.first or line
        self.last = line
        self.total += Decimal(line.split(b",")[AMOUNT].decode())


@pytest.fixture
def history() -> ApiClient:
    user = UserFactory.create(full_name="Ada Lovelace")
    add_copies(record(user, description="Groceries"), ROWS - 1)
    return ApiClient(user)


def received(
    server: WebServer, client: ApiClient, meanwhile: Callable[[], object] = bool
) -> Received:
    """The file; `meanwhile` runs once its head has arrived."""
    started, file = time.monotonic(), Received()
    link = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    with contextlib.closing(link):
        token = {"Authorization": f"Bearer {client.token}"}
        link.request("GET", "/api/v1/transactions/export", headers=token)
        answer = link.getresponse()
        assert answer.readline() == ",".join(COLUMNS).encode() + b"\r\n"
        file.seconds_to_first_byte = time.monotonic() - started
        meanwhile()
        for line in answer:
            file.take(line)
    file.seconds = time.monotonic() - started
    return file


def change_both_ends(user: User) -> None:
    """New rows where the file has already begun, none where it will end."""
    for _ in range(50):
        record(user, transaction_date=clock.LAST_MOMENT)
    for row in Transaction.objects.of(user.pk).order_by("transaction_date", "id")[:50]:
        operations.delete(row=row)


def test_a_million_rows_are_all_there_and_never_all_in_memory(history: ApiClient) -> None:
    user, small = history.user, UserFactory.create()
    assert user
    record(small)
    mine = Transaction.objects.of(user.pk)
    total, *ends = mine.aggregate(
        Sum("transaction_amount"), Max("transaction_date"), Min("transaction_date")
    ).values()
    with serving(EXPORT_SECONDS="3600") as server:  # however busy the machine is
        received(server, ApiClient(small))  # so that everything an export needs is imported
        memory = Memory(server)
        memory.start()
        file = received(server, history, lambda: change_both_ends(user))
        memory.done.set()
        memory.join()

    assert (file.rows, file.total) == (ROWS, total)
    for line, moment in zip((file.first, file.last), ends, strict=True):
        assert clock.text(moment).encode() in line
    assert file.seconds_to_first_byte < file.seconds / 100
    assert memory.highest - memory.before < 50 * MEGABYTE
