"""The table in force as Redis keeps it, so that a request asks neither the bank nor PostgreSQL.

`versioned_cache` keeps users' answers under a version of the rates, which is renewed here, in the
same step that puts another table in: an answer made of the last one is asked for by nobody.
"""

import hashlib
import json
from collections.abc import Callable
from typing import Any

from django.conf import settings

from accounts.rates.table import RateTable
from fido.lib.cache import versioned_cache
from fido.lib.cache.redis_link import Away, link

KEY = "fido:{rates}:table"
TRIES = 5

# Compare-and-set: whoever put another table in since has renewed the version. One that says the
# same, but was fetched later, makes no answer wrong.
PUT = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'digest') ~= ARGV[2] then
    redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
end
redis.call('HSET', KEYS[1], 'digest', ARGV[2], 'table', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
"""

Stored = Callable[[], RateTable | None]


def find(stored: Stored) -> RateTable | None:
    """The kept table; where there is none, or Redis is away, what `stored` gives, kept from now."""
    try:
        version, kept = _look()
    except Away:
        return stored()
    if kept is not None:
        return _decoded(kept)
    table = stored()
    _put(version, table)
    return table


def refresh(stored: Stored) -> None:
    """Keeps what `stored` gives, whatever was kept. Where Redis is away, that lapses by itself."""
    for _ in range(TRIES):
        try:
            version, _kept = _look()
        except Away:
            return
        # Read after the look: a sync that overtakes this one has renewed the version.
        if _put(version, stored()):
            return


def _look() -> tuple[str, bytes | None]:
    """The version of the rates, made if there is none, and the table."""

    def ask(client: Any) -> Any:
        pipeline = client.pipeline(transaction=False)
        versioned_cache.ask_rates_version(pipeline)
        pipeline.hget(KEY, "table")
        return pipeline.execute()

    version, kept = link.ask(ask)
    return version.decode(), kept


def _put(version: str, table: RateTable | None) -> bool:
    """Whether it was put in, or could not be for want of Redis."""
    text = _encoded(table)
    renewed = versioned_cache.renewed_version()
    arguments = (KEY, versioned_cache.RATES_KEY, version, _digest(table), text, *renewed, _ms())
    try:
        return bool(link.ask(lambda client: client.eval(PUT, 2, *arguments)))
    except Away:
        return True


def _ms() -> int:
    # Outlasts a sync that is late. One that reaches PostgreSQL and not Redis is made good by this.
    return 3 * settings.RATES_SYNC_SECONDS * 1000


def _encoded(table: RateTable | None) -> str:
    return json.dumps(table and table.as_json())


def _decoded(kept: bytes) -> RateTable | None:
    data = json.loads(kept)
    return data and RateTable.from_json(data)


def _digest(table: RateTable | None) -> str:
    """Of what conversions depend on, which the time of fetching is not."""
    content = table and table.as_json() | {"fetched_at": None}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
