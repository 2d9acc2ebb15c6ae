"""The table in force, cached in Redis, so that requests ask neither the bank nor PostgreSQL.

`versioned_cache` stores users' answers under a version of the rates. The same step that stores
another table here renews that version, so nobody looks up answers made from the last table.
"""

import hashlib
import json
from collections.abc import Callable

from django.conf import settings

from accounts.rates.table import RateTable
from fido.lib.cache import versioned_cache
from fido.lib.cache.redis_link import Away, Script, link, run_all

KEY = "fido:{rates}:table"
TRIES = 5

# Compare-and-set: if another process has stored another table since, it has renewed the version. A
# table with the same rates, only fetched later, makes no answer wrong.
PUT = Script("""
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'digest') ~= ARGV[2] then
    redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
end
redis.call('HSET', KEYS[1], 'digest', ARGV[2], 'table', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 1
""")

Stored = Callable[[], RateTable | None]


def find(stored: Stored) -> RateTable | None:
    """The cached table. If it is missing, or Redis is away, the result of `stored`, which is then
    cached.
    """
    try:
        version, kept = _look()
    except Away:
        return stored()
    if kept is not None:
        data = json.loads(kept)
        return data and RateTable.from_json(data)
    table = stored()
    _put(version, table)
    return table


def refresh(stored: Stored) -> None:
    """Cache the result of `stored`, replacing any cached table. If Redis is away, the old one
    expires.
    """
    for _ in range(TRIES):
        try:
            version, _kept = _look()
        except Away:
            return
        # Read after the lookup: a sync that overtakes this one has renewed the version.
        if _put(version, stored()):
            return


def _look() -> tuple[str, bytes | None]:
    """The version of the rates, created if there is none, and the table."""

    (version,) = link.ask(lambda client: run_all(client, [versioned_cache.rates_version()]))
    kept = link.ask(lambda client: client.hget(KEY, "table"))
    return version.decode(), kept


def _put(version: str, table: RateTable | None) -> bool:
    """Whether to stop: the table was stored, or Redis is away."""
    text = json.dumps(table and table.as_json())
    renewed = versioned_cache.renewed_version()
    keys = [KEY, versioned_cache.RATES_KEY]
    # Outlasts a late sync. If a sync reaches PostgreSQL but not Redis, this expiry corrects it.
    lasts_ms = 3 * settings.RATES_SYNC_SECONDS * 1000
    arguments = (version, _digest(table), text, *renewed, lasts_ms)
    try:
        return bool(link.ask(lambda client: PUT.run(client, keys, *arguments)))
    except Away:
        return True


def _digest(table: RateTable | None) -> str:
    """A digest of what conversions depend on, which excludes the time of fetching."""
    content = table and table.as_json() | {"fetched_at": None}
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
