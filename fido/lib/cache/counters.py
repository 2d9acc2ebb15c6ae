"""Rate limits: Redis counts recent actions, and a hit over the rate is refused.

With Redis away nothing is refused: a customer's payments matter more than the counter, and each
guess at a password still costs an Argon2 hash. The outage is logged.
"""

import hashlib
import hmac
import logging
from contextlib import suppress

from django.conf import settings

from fido.lib.cache.redis_link import Away, Script, link
from fido.lib.values.errors import TooManyRequests
from fido.lib.values.limits import Rate

logger = logging.getLogger(__name__)

# One atomic step, so that a counter never exists without its expiry.
COUNT = Script("""
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('TTL', KEYS[1])}
""")
# Only while the window lasts: DECR on an expired key would create one that never expires.
FORGIVE = Script("return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('DECR', KEYS[1])")


class Counter:
    """How often `subject` did `action` in the current window of `rate` (None: not counted)."""

    def __init__(self, action: str, subject: str, rate: Rate | None) -> None:
        self.rate = rate
        # An HMAC, because Redis must not learn a name or an e-mail address.
        digest = hmac.digest(settings.SECRET_KEY.encode(), subject.encode(), hashlib.sha256)
        self.key = f"fido:throttle:{action}:{digest.hex()[:32]}"

    def hit(self) -> None:
        """Count one more, before the work: a hundred concurrent attempts must not all pass.

        Raises:
            TooManyRequests: over the rate, with the seconds until the window ends.
        """
        if self.rate is None:
            return
        seconds = self.rate.seconds
        try:
            count, ttl = link.ask(lambda client: COUNT.run(client, [self.key], seconds))
        except Away:
            logger.error("Throttling is off, Redis is away.")
            return
        if count > self.rate.limit:
            raise TooManyRequests(max(1, ttl))

    def forgive(self) -> None:
        """Take one hit back, if it should not count."""
        if self.rate is None:
            return
        with suppress(Away):
            link.ask(lambda client: FORGIVE.run(client, [self.key]))
