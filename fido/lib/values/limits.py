"""Rate limits."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """At most `limit` in each window of `seconds`."""

    limit: int
    seconds: int
