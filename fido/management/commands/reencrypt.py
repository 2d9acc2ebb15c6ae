"""Moves everything encrypted to the newest keys, or counts what is not under them."""

import time
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fido.lib.commands.arguments import positive
from fido.lib.commands.progress import progress
from fido.lib.values.crypto import reencryption
from fido.lib.values.crypto.reencryption import EncryptedColumn, Tally

BATCH_SIZE = 500


class Pace:
    """Sleeps so that at most `rate` rows a second are written; None means no limit."""

    def __init__(
        self,
        rate: int | None,
        now: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate, self.now, self.sleep = rate, now, sleep
        self.free_at = now()

    def wrote(self, rows: int) -> None:
        if self.rate:
            # Not before now: time spent on reading must not allow a burst of writes.
            self.free_at = max(self.free_at, self.now()) + rows / self.rate
            self.sleep(max(0.0, self.free_at - self.now()))


class Command(BaseCommand):
    help = (
        "Moves every encrypted value to the newest key of FERNET_KEYS, and its blind index to the "
        "newest of BLIND_INDEX_KEYS. Safe while the service runs; may be interrupted and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="count only, change nothing")
        parser.add_argument(
            "--rate", type=positive, metavar="ROWS_PER_SECOND", help="write no faster than this"
        )
        parser.add_argument(
            "--batch-size", type=positive, default=BATCH_SIZE, help="rows per statement"
        )

    def handle(
        self, *args: Any, check: bool, rate: int | None, batch_size: int, **options: Any
    ) -> None:
        total, pace = Tally(), Pace(rate)
        # A batch is the smallest step, so a low rate needs small batches.
        size = min(batch_size, rate or batch_size)
        for column in reencryption.encrypted_columns():
            tally = _pass_over(column, size, None if check else pace)
            self.stdout.write(_line(column, tally))
            total.add(tally)
        _refuse_what_is_left(total)
        self.stdout.write("Everything is under the newest keys.")


def _pass_over(column: EncryptedColumn, size: int, pace: Pace | None) -> Tally:
    """Move a column at a given pace; without one, only count."""
    tally = Tally()
    with progress(str(column), reencryption.estimated_rows(column)) as advance:
        for rows in reencryption.batches(column, size):
            if pace:
                part = reencryption.move(column, rows)
                pace.wrote(part.written)
            else:
                part = reencryption.check(column, rows)
            tally.add(part)
            advance(len(rows))
    return tally


def _line(column: EncryptedColumn, tally: Tally) -> str:
    tokens = f"{tally.newest} newest key, {tally.older} older, {tally.unreadable} unreadable"
    return f"{column}: {tokens}" + (f"; {tally.old_digests} old digests" if column.index else "")


def _refuse_what_is_left(total: Tally) -> None:
    sentences = []
    if total.left:
        sentences.append(
            f"Not under the newest keys: {total.older} tokens, {total.old_digests} digests. "
            "Keep the older keys, and run reencrypt."
        )
    if total.unreadable:
        sentences.append(
            f"Tokens that fit no key: {total.unreadable}. They were damaged, or their key is gone."
        )
    if sentences:
        raise CommandError(" ".join(sentences))
