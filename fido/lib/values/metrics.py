"""Prometheus metrics: counts and times, of this process or of all processes together.

With PROMETHEUS_MULTIPROC_DIR each process counts in files of that folder, and a scrape adds all of
them up. There are only counters and histograms, which stay correct when a process ends; the gauge
of a dead process would stay for ever. (`fido.gauges` reads those anew at each scrape.) No label may
hold a client-chosen value, a user's id or a name.
"""

import fcntl
import os
from itertools import count
from pathlib import Path

from django.conf import settings
from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    values,
)
from prometheus_client.multiprocess import MultiProcessCollector


class Slot:
    """A number that no other live process has.

    The files of counts are named by it and not, as usual, by process id. The next process that
    takes a freed number continues its files. So there are never more files than processes, no
    matter how often web workers are replaced, and nothing has to be emptied.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._holder, self._number = folder, 0, 0

    def __call__(self) -> int:
        if self._holder != os.getpid():  # the first call, or the first one after a fork
            self._number, self._holder = self._claim(), os.getpid()
        return self._number

    def _claim(self) -> int:
        return next(number for number in count() if self._take(number))

    def _take(self, number: int) -> bool:
        lock = os.open(self._folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            # Never closed: the kernel releases it when the process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        return True


def exposition() -> bytes:
    """All counts in Prometheus' text format."""
    if not settings.PROMETHEUS_MULTIPROC_DIR:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, settings.PROMETHEUS_MULTIPROC_DIR)
    return generate_latest(registry)


# Before the first metric is created.
values.ValueClass = (
    values.MultiProcessValue(Slot(Path(settings.PROMETHEUS_MULTIPROC_DIR)))
    if settings.PROMETHEUS_MULTIPROC_DIR
    else values.MutexValue
)

REQUEST_SECONDS = Histogram(
    "fido_request_seconds",
    "Time to answer a request, by the pattern of its path.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
CACHED_ANSWERS = Counter(
    "fido_cached_answers",
    "Answers that were found kept (hit), made and kept (miss), or made and not kept (bypass).",
    ["answer", "source"],
)
WARMED_ANSWERS = Counter(
    "fido_warmed_answers",
    "What warming did for a user: made the answer (warmed), found it (kept), or left it (skipped).",
    ["outcome"],
)
REDIS_OUTAGES = Counter(
    "fido_redis_outages", "How often a process lost Redis, and went on without it."
)
REDIS_AWAY_SECONDS = Counter(
    "fido_redis_away_seconds", "For how long processes had no Redis, added up over all of them."
)
DATABASE_ERRORS = Counter(
    "fido_database_errors", "Errors of the database that ended a request or a job.", ["kind"]
)
CHECKED_USERS = Counter(
    "fido_checked_users", "Users whose totals and balances a standing check has compared."
)
OVERLOADED = Counter(
    "fido_overloaded",
    "Requests that were refused because too many waited: for a thread, or to check a password.",
    ["wait"],
)
# From zero on: where a count begins with one, Prometheus sees no increase.
for wait in ("thread", "password"):
    OVERLOADED.labels(wait)
# Endpoints are few, too: staff register them. Their id is a number of ours.
WEBHOOK_ATTEMPTS = Counter(
    "fido_webhook_attempts",
    "Attempts to deliver a webhook: delivered, to be repeated (pending), or given up (failed).",
    ["endpoint", "outcome"],
)
# There are few codes: staff choose them, and the database limits them.
ALERTS = Counter("fido_alerts", "Alerts that were stored, by the code of their rule.", ["code"])
