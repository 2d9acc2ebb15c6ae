"""What waits in the queues, and floods of jobs."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

from django_redis import get_redis_connection

from fido.lib.cache.jobs import Places
from fido.queues import JOBS, NAMES

QUEUE_OF = {job: name for name, jobs in JOBS.items() for job in jobs}


def waiting(*names: str) -> int:
    """How many jobs wait in these queues, or in all."""
    redis = get_redis_connection()
    return sum(redis.llen(name) for name in names or NAMES)


def flood(task: Any, count: int, *arguments: Any, queue: str | None = None) -> None:
    """Queue the job that often: quickly, by copies of its message."""
    queue, redis = queue or QUEUE_OF[task.name], get_redis_connection()
    task.apply_async(arguments, queue=queue)
    message = json.loads(redis.lindex(queue, 0))
    redis.lpush(queue, *(_copy(message) for _ in range(count - 1)))


def _copy(message: dict[str, Any]) -> str:
    id_ = str(uuid4())
    headers = message["headers"] | {"id": id_, "root_id": id_}
    properties = message["properties"] | {"correlation_id": id_, "delivery_tag": str(uuid4())}
    return json.dumps(message | {"headers": headers, "properties": properties})


@contextmanager
def all_taken(places: Places) -> Iterator[None]:
    """As while other threads run as many of these jobs as may run at once."""
    with ExitStack() as stack:
        assert all(stack.enter_context(places.one()) for _ in range(places.count))
        yield
