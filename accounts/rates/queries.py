"""Which rates are in force, and which were earlier."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import cast

from django.conf import settings

from accounts.rates import kept
from accounts.rates.models import PublishedTable, SyncState
from accounts.rates.published import IN_TABLE, Letter, Published, combined
from accounts.rates.shipped import shipped_table
from accounts.rates.table import RatesUnavailable, RateTable


def in_force() -> RateTable:
    """The table to convert at now: from Redis, or from PostgreSQL. Never calls the bank.

    Raises:
        RatesUnavailable: a bank is configured, and has delivered none yet.
    """
    table = kept.find(stored) if settings.RATES_URL else shipped_table()
    if table is None:
        raise RatesUnavailable()
    return table


def rate_as_of(moment: datetime) -> RateTable:
    """The table in force on the UTC day of a moment, from PostgreSQL.

    Raises:
        RatesUnavailable: there was none yet.
    """
    day = moment.astimezone(UTC).date()
    table = _one_table(newest(day)) if settings.RATES_URL else shipped_table()
    if table is None or table.effective_date > day:
        raise RatesUnavailable()
    return table


def stored() -> RateTable | None:
    """The table in force according to PostgreSQL; None: the bank has delivered none yet."""
    table = _one_table(newest())
    return table and replace(table, fetched_at=sync_state().fetched_at or table.fetched_at)


def newest(day: date = date.max) -> dict[Letter, PublishedTable]:
    """The newest row of each of the bank's tables, dated no later than that day."""
    rows = PublishedTable.objects.filter(letter__in=IN_TABLE, effective_date__lte=day)
    newest_first = rows.order_by("letter", "-effective_date", "-id").distinct("letter")
    return {cast(Letter, row.letter): row for row in newest_first}


def published(row: PublishedTable) -> Published:
    prices = {
        code: {column: Decimal(price) for column, price in columns.items()}
        for code, columns in row.prices.items()
    }
    return Published(cast(Letter, row.letter), row.effective_date, prices)


def sync_state() -> SyncState:
    """The state of the sync; an unsaved row before the first attempt."""
    return SyncState.objects.filter(pk=SyncState.ONLY).first() or SyncState()


def _one_table(rows: Mapping[Letter, PublishedTable]) -> RateTable | None:
    first = rows.get("A")
    if first is None:
        return None
    rates = combined({letter: published(row) for letter, row in rows.items()})
    return RateTable(first.effective_date, first.fetched_at, "bank", rates)
