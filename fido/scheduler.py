"""Beat's schedule in the database, and a liveness file that it touches."""

from typing import Any

from django_celery_beat.schedulers import DatabaseScheduler

from fido.lib.process.alive import show


class Scheduler(DatabaseScheduler):  # type: ignore[misc]
    def tick(self, *args: Any, **kwargs: Any) -> float:
        # Every few seconds, even if nothing is due.
        pause: float = super().tick(*args, **kwargs)
        show()
        return pause
