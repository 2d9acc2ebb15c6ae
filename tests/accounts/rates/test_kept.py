"""The rates cached in Redis: never an older table after a newer one."""

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django_redis import get_redis_connection

from accounts.rates import kept
from accounts.rates.table import Rate, RateTable
from fido.lib.cache import versioned_cache
from fido.lib.values import clock
from tests.bank import TODAY

NOW = clock.now()


def of(mid: str, fetched_at: Any = NOW) -> RateTable:
    return RateTable(TODAY, fetched_at, "bank", {"USD": Rate(Decimal(mid))})


def version() -> bytes | None:
    found: bytes | None = get_redis_connection().get(versioned_cache.RATES_KEY)
    return found


def never() -> RateTable | None:
    raise AssertionError("PostgreSQL was asked")


def test_what_was_found_once_is_kept() -> None:
    assert kept.find(lambda: of("3.95")) == of("3.95")
    assert kept.find(never) == of("3.95")


def test_that_there_is_none_is_kept_too() -> None:
    assert kept.find(lambda: None) is None
    assert kept.find(never) is None


def test_it_lapses_when_nobody_refreshes_it(settings: Any) -> None:
    settings.RATES_SYNC_SECONDS = 60
    kept.refresh(lambda: of("3.95"))

    assert 170 < get_redis_connection().ttl(kept.KEY) <= 180


def overtaken(read: RateTable, by: Callable[[], object]) -> Callable[[], RateTable]:
    """A slow read of PostgreSQL: `by` runs between it and the store."""
    done: list[bool] = []

    def stored() -> RateTable:
        if not done:
            done.append(True)
            by()
            return read
        return of("3.99")

    return stored


@pytest.mark.parametrize("evicted", [False, True])
def test_a_slow_reader_does_not_bring_the_last_table_back(evicted: bool) -> None:
    def sync() -> None:
        kept.refresh(lambda: of("3.99"))
        if evicted:
            get_redis_connection().flushdb()

    assert kept.find(overtaken(of("3.95"), by=sync)) == of("3.95")

    assert kept.find(lambda: of("3.99")) == of("3.99")


def test_a_slow_sync_that_was_overtaken_reads_again() -> None:
    kept.refresh(overtaken(of("3.95"), by=lambda: kept.refresh(lambda: of("3.99"))))

    assert kept.find(never) == of("3.99")


def test_another_table_renews_the_version_and_a_later_time_does_not() -> None:
    kept.refresh(lambda: of("3.95"))
    first = version()

    kept.refresh(lambda: of("3.95", NOW + timedelta(seconds=60)))
    assert version() == first
    found = kept.find(never)
    assert found
    assert found.fetched_at == NOW + timedelta(seconds=60)

    kept.refresh(lambda: of("3.950001"))
    assert version() != first


def test_every_digit_survives() -> None:
    rates = {"USD": Rate(Decimal("0.123456789012345678"), None, Decimal("1E+3"))}
    before = RateTable(TODAY, NOW, "bank", rates)

    after = RateTable.from_json(json.loads(json.dumps(before.as_json())))

    assert after == before
    assert str(after.rates["USD"].mid) == "0.123456789012345678"
