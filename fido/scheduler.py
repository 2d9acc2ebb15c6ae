"""Beat's schedule in the database, and the signs of life that it gives."""

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler

from fido.lib.cache import progress
from fido.lib.process import watchdog
from fido.lib.process.alive import show


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    def tick(self, *args: Any, **kwargs: Any) -> float:
        # Every few seconds, even if nothing is due.
        with watchdog.under_way("a look at the schedule"):
            pause: float = super().tick(*args, **kwargs)
        show()
        progress.note("beat")
        return pause
