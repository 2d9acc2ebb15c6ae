"""A history as a file that is generated while it is sent: one snapshot, in constant memory.

docs/adr/0010-export.md says what bounds an export, and what was rejected.
"""

import errno
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import structlog
from django.conf import settings
from django.db import Error, connection

from fido.lib.process.database import bounded_read
from fido.lib.values.errors import DomainError, Kind
from transactions import queries
from transactions.files import formats
from transactions.files.columns import NAMES
from transactions.files.formats import FileFormat
from transactions.models import TransactionQuerySet

logger = structlog.get_logger("fido.export")

BATCH_ROWS = 500
READ = ["wallet_name" if column == "wallet" else column for column in NAMES]
# Released with the transaction, even if this process is killed.
TAKE_TURN = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"


class ExportsBusy(DomainError):
    code, title, kind = "export-running", "Another export is running.", Kind.TOO_MANY
    wait = 5


class BrokenOff(BrokenPipeError):
    """Ends an answer that has begun, so that nobody takes it for complete.

    The web server treats it as if the client had disconnected: it closes the connection without the
    last chunk, and every client recognises that.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EPIPE, f"The export broke off: {reason}.")
        self.reason = reason


class Slots:
    """The number of exports that this process runs; each of them holds one of its threads."""

    def __init__(self) -> None:
        self._lock, self._taken = threading.Lock(), 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a slot. Raises ExportsBusy if none is free."""
        with self._lock:
            if self._taken >= settings.EXPORTS_PER_PROCESS:
                raise ExportsBusy("Too many exports are running; try again later.")
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1


slots = Slots()


@dataclass
class Export:
    """The file of some transactions, in the queryset's order.

    A user has one export at a time. `masked` hides names, in columns with other names.
    """

    rows: TransactionQuerySet
    viewer_id: int
    file_format: FileFormat
    masked: bool
    sent: int = field(default=0, init=False)
    _opened: bool = field(default=False, init=False)

    def opened(self) -> Generator[bytes, None, None]:
        """The file's parts, each of whole lines. The first rows are already fetched.

        It keeps this thread's database connection in a transaction until it ends or is closed.
        While it is read it may raise BrokenOff: there are more rows, but they cannot be read.

        Raises:
            ExportsBusy: the user, or this process, has enough exports running.
        """
        parts = self._logged()
        next(parts)
        return parts

    def _logged(self) -> Generator[bytes, None, None]:
        started, ended = time.monotonic(), "left by the client"
        # The rest is sent after the request's context has been left.
        log = logger.bind(**structlog.contextvars.get_contextvars())
        try:
            yield from self._unbroken()
            ended = "whole"
        except BrokenOff as broken:
            ended = broken.reason
            raise
        finally:
            if self._opened:
                seconds = round(time.monotonic() - started, 1)
                log.info("export", rows=self.sent, ended=ended, seconds=seconds)

    def _unbroken(self) -> Generator[bytes, None, None]:
        try:
            yield from self._parts()
        except Error as error:
            if not self._opened:
                raise  # nothing is sent yet, so this becomes an ordinary answer
            raise BrokenOff(type(error.__cause__ or error).__name__) from error

    def _parts(self) -> Generator[bytes, None, None]:
        bounds = {"seconds": settings.EXPORT_SECONDS, "idle_seconds": settings.EXPORT_STALL_SECONDS}
        deadline = time.monotonic() + settings.EXPORT_SECONDS
        columns = formats.MASKED_NAMES if self.masked else NAMES
        value = formats.masked if self.masked else formats.in_clear
        with slots.taken(), bounded_read(**bounds):
            self._take_turn()
            # In a transaction, so that the cursor ends with it and nothing is fetched ahead.
            rows: Any = queries.with_wallet_name(self.rows).values_list(*READ)
            with closing(rows.iterator(BATCH_ROWS)) as found:
                batch = list(islice(found, BATCH_ROWS))
                self._opened = True
                yield b""
                yield self.file_format.head(columns)
                while batch:
                    yield self.file_format.lines(columns, [value(row) for row in batch])
                    self.sent += len(batch)
                    if time.monotonic() > deadline:
                        raise BrokenOff("took too long")
                    batch = list(islice(found, BATCH_ROWS))

    def _take_turn(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(TAKE_TURN, [f"fido.export:{self.viewer_id}"])
            (mine,) = cursor.fetchone()
        if not mine:
            raise ExportsBusy("You already have an export running; try again when it has ended.")
