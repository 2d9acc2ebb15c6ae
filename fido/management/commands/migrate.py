"""Django's command, which waits for locks by seconds and then tries again.

While it waits for a lock on a table, every other statement on that table waits behind it. So a
migration that meets a long reader gives up soon, lets the others through, and tries again.
"""

import time
from typing import Any

from django.core.management.base import CommandError
from django.core.management.commands import migrate
from django.db import DEFAULT_DB_ALIAS, OperationalError

from fido.lib.process.database import is_busy, no_limits

LOCK_SECONDS = 4
TRIES, PAUSE_SECONDS = 20, 3.0


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["database"] != DEFAULT_DB_ALIAS:
            raise CommandError("There is one database.")
        for tries_left in reversed(range(TRIES)):
            try:
                # A statement may take as long as it needs. What was migrated is recorded, and the
                # migration that failed was undone, so the next try goes on there.
                with no_limits(lock_seconds=LOCK_SECONDS):
                    super().handle(*args, **options)
                return
            except OperationalError as error:
                if not is_busy(error):
                    raise
                self._tell(tries_left)

    def _tell(self, tries_left: int) -> None:
        blocked = f"Another transaction kept a table locked for {LOCK_SECONDS} seconds."
        if not tries_left:
            raise CommandError(f"{blocked} Nothing is half done: end it, and run this again.")
        self.stderr.write(f"{blocked} Trying again, {tries_left} times at most.")
        time.sleep(PAUSE_SECONDS)
