"""When each kind of process last made progress, and when each periodic job last succeeded.

One key in Redis that never expires, so it is never evicted. It holds names and times alone.
"""

import time
from contextlib import suppress

from fido.lib.cache.redis_link import Away, link

KEY = "fido:progress"


def note(name: str) -> None:
    """Note that this happened now. Never raises: the next time is soon."""
    with suppress(Away):
        link.ask(lambda client: client.hset(KEY, name, time.time()))


def noted() -> dict[str, float]:
    """Unix times by name. Raises Away."""
    times: dict[bytes, bytes] = link.ask(lambda client: client.hgetall(KEY))
    return {name.decode(): float(at) for name, at in times.items()}
