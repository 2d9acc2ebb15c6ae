"""What waits in the queues, and who has made progress, from Redis."""

import json
import logging
import time
from typing import Any

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from fido import queues
from fido.gauges.families import Readings, by_label
from fido.lib.cache import progress
from fido.lib.cache.redis_link import Away

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 0.25


def queue_readings() -> Readings:
    """The queues' gauges; None: the queue did not answer in time."""
    try:
        return {"queues": _queues()}
    except RedisError as error:
        logger.warning("The gauges of the queues could not be read: %s", type(error).__name__)
        return {"queues": None}


def progress_readings() -> Readings:
    """The gauges of progress; None: Redis is away."""
    try:
        return {"progress": _progress(progress.noted())}
    except Away:
        return {"progress": None}


def _queues() -> list[GaugeMetricFamily]:
    """In one round trip. Celery adds messages at the left; the oldest is at the right."""
    # Not the cache's connection: the queue may have a Redis of its own.
    with _client() as client, client.pipeline(transaction=False) as pipeline:
        for name in queues.NAMES:
            pipeline.llen(name).lindex(name, -1)
        answers = pipeline.execute()
    lengths = dict(zip(queues.NAMES, answers[::2], strict=True))
    ages = {name: _age(each) for name, each in zip(queues.NAMES, answers[1::2], strict=True)}
    return [
        by_label("fido_queue_messages", "Jobs that no worker has taken.", "queue", lengths),
        by_label(
            "fido_queue_oldest_seconds", "For how long the first of them waits.", "queue", ages
        ),
    ]


def _client() -> Any:
    return Redis.from_url(
        settings.CELERY_BROKER_URL,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )


def _age(message: bytes | None) -> float | None:
    """None for a message from an earlier release, which does not say when it was sent."""
    if message is None:
        return 0.0
    sent = json.loads(message)["headers"].get(queues.SENT_AT)
    return None if sent is None else max(0.0, time.time() - sent)


def _progress(times: dict[str, float]) -> list[GaugeMetricFamily]:
    processes = {name: times.get(name) for name in queues.PROCESSES}
    tasks = {task: times.get(task) for task in queues.PERIODIC}
    return [
        by_label(
            "fido_last_progress_timestamp_seconds",
            "When any worker last reached its queue, and when beat last looked at its schedule.",
            "process",
            processes,
        ),
        by_label(
            "fido_periodic_success_timestamp_seconds",
            "When a periodic job last succeeded.",
            "task",
            tasks,
        ),
    ]
