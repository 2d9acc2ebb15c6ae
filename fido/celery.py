"""The Celery application: `celery -A fido worker`, `celery -A fido beat`."""

import os
import sys
import time
from typing import Any

from celery import Celery, bootsteps
from celery.signals import (
    beat_init,
    before_task_publish,
    heartbeat_sent,
    setup_logging,
    task_failure,
    task_postrun,
    task_prerun,
    task_success,
    worker_init,
    worker_ready,
)
from django_structlog.celery.steps import DjangoStructLogInitStep
from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as QueueLost

from fido.lib.process import watchdog
from fido.lib.process.database import bound_transactions
from fido.queues import PERIODIC, SENT_AT

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fido.settings")

LOOP_SECONDS = 2
app = Celery("fido")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Carries the request id into the worker's log lines.
app.steps["worker"].add(DjangoStructLogInitStep)


class WatchedLoop(bootsteps.StartStopStep):
    """The worker's main loop, which takes jobs from the queue, while it is connected to it."""

    requires = ("celery.worker.consumer.heart:Heart",)
    timer: Any = None

    def include_if(self, consumer: Any) -> bool:
        return consumer.hub is not None  # otherwise timers have a thread of their own

    def start(self, consumer: Any) -> None:
        watchdog.begin("the loop that takes jobs from the queue")
        self.timer = consumer.timer.call_repeatedly(LOOP_SECONDS, watchdog.progressed)

    def stop(self, consumer: Any) -> None:
        if self.timer:
            self.timer.cancel()
        watchdog.end()


app.steps["consumer"].add(WatchedLoop)
# Celery would open a connection for each job, which costs more than a small job does.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize

_pool_of: Any = Channel._get_pool  # type: ignore[attr-defined]


def _pool_of_an_open_channel(channel: Any, *args: Any, **kwargs: Any) -> Any:
    """What kombu 5.7.0 does, but for a closed channel with an error that it expects.

    With its queue gone in the middle of a job, a worker acknowledges or puts back that job on a
    closed channel. The AttributeError that came of it ended the worker.
    """
    if channel.connection is None or channel.connection.client is None:
        raise QueueLost("The channel is closed.")
    return _pool_of(channel, *args, **kwargs)


Channel._get_pool = _pool_of_an_open_channel  # type: ignore[attr-defined]


@setup_logging.connect
def keep_our_logging(**kwargs: Any) -> None:
    """Connected so that Celery does not configure logging itself."""


@worker_ready.connect
def keep_what_was_warmed(**kwargs: Any) -> None:
    # Imported here because it reads the settings.
    from fido.lib.cache.redis_link import link  # noqa: PLC0415

    link.keep_generation()


@heartbeat_sent.connect
def show_that_it_works(**kwargs: Any) -> None:
    # Sent every two seconds while the worker is connected to its queue.
    from fido.lib.cache import progress  # noqa: PLC0415
    from fido.lib.process.alive import show  # noqa: PLC0415

    show()
    progress.note("worker")


@before_task_publish.connect
def say_when_it_was_sent(headers: dict[str, Any], **kwargs: Any) -> None:
    # Celery's own messages do not tell how long they have waited.
    headers[SENT_AT] = time.time()


@task_success.connect
def note_success(sender: Any, **kwargs: Any) -> None:
    from fido.lib.cache import progress  # noqa: PLC0415

    if sender.name in PERIODIC:
        progress.note(sender.name)


@worker_init.connect
def bound_its_transactions(**kwargs: Any) -> None:
    bound_transactions()


@worker_init.connect
@beat_init.connect
def watch_this_process(**kwargs: Any) -> None:
    watchdog.watch()


@task_prerun.connect
def begin_to_watch_the_job(sender: Any, **kwargs: Any) -> None:
    if not sender.request.is_eager:  # otherwise it is a part of what its caller is at
        watchdog.begin(sender.name)


@task_postrun.connect
def end_watching_the_job(sender: Any, **kwargs: Any) -> None:
    if not sender.request.is_eager:
        watchdog.end()


@task_failure.connect
def report_database_errors(exception: Exception, **kwargs: Any) -> None:
    from fido.lib.process.database import is_database_away  # noqa: PLC0415
    from fido.lib.process.database_errors import report  # noqa: PLC0415

    if is_database_away(exception):
        report(exception)


@task_prerun.connect
@task_postrun.connect
def close_old_connections(sender: Any, **kwargs: Any) -> None:
    """A thread's connection stays for its next job, unless it is too old or broken."""
    from django.db import close_old_connections as close  # noqa: PLC0415

    if not sender.request.is_eager:  # nor may a caller's transaction be cut off
        close()
