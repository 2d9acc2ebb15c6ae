"""All writes of rates: what the bank delivered, and how the sync went."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from accounts.rates import bank, kept, queries
from accounts.rates.models import PublishedTable, SyncState
from accounts.rates.published import (
    BadRates,
    Letter,
    Published,
    combined,
    require_likeness,
    require_order,
)
from accounts.rates.table import text
from fido.lib.values import clock

logger = logging.getLogger(__name__)

# A fraction of the interval. The scheduler's ticks are uneven, so a slightly early one still
# counts.
ALMOST = 0.9
TOO_EARLY = timedelta(days=7)
NO_REFUSAL = {"refusal": "", "detail": ""}

Tables = Mapping[Letter, Published]


def sync_if_due() -> None:
    """Fetch the rates, unless a sync has run in this interval. Of many concurrent calls, one does.

    An error is logged when it begins, and not again while it lasts.
    """
    interval = timedelta(seconds=settings.RATES_SYNC_SECONDS * ALMOST)
    due = Q(attempted_at__isnull=True) | Q(attempted_at__lt=Now() - interval)
    if settings.RATES_URL and _attempted(due):
        _sync(settings.RATES_URL, accept=False)


def sync_now(url: str, *, accept: bool) -> None:
    """Fetch the rates now. `accept` takes tables however much they differ from the last ones.

    Raises:
        BadRates: nothing has changed.
    """
    _attempted(Q())
    if refusal := _sync(url, accept=accept):
        raise refusal


def _attempted(condition: Q) -> bool:
    """Record an attempt if the condition holds for the last one. A compare-and-set."""
    SyncState.objects.bulk_create([SyncState()], ignore_conflicts=True)
    return bool(_state().filter(condition).update(attempted_at=Now()))


def _sync(url: str, *, accept: bool) -> BadRates | None:
    refusal = None
    try:
        _store(bank.fetch(url), accept=accept)
    except BadRates as error:
        refusal = error
    _note(refusal)
    # Even if nothing is new: Redis may have lost the table, or been away when it came.
    kept.refresh(queries.stored)
    return refusal


def _store(offered: Tables, *, accept: bool) -> None:
    """Add all the new tables, or none.

    Raises:
        BadRates
    """
    now = clock.now()
    tables = _of_today(offered, now.date())
    with transaction.atomic():
        # A write first, so that another sync waits, and then sees what we have added.
        _state().update(fetched_at=now if "A" in tables else F("fetched_at"))
        last = {letter: queries.published(row) for letter, row in queries.newest().items()}
        news = {letter: table for letter, table in tables.items() if table != last.get(letter)}
        _require_sense(news, last, accept=accept)
        PublishedTable.objects.bulk_create(_row(table) for table in news.values())
    for table in news.values():
        logger.info("Table %s of %s is in force.", table.letter, table.effective_date)


def _of_today(offered: Tables, today: date) -> Tables:
    """Without tables dated in the future: the bank will deliver them again on that day."""
    for table in offered.values():
        if table.effective_date - today > TOO_EARLY:
            raise BadRates("future", f"Table {table.letter} is dated far in the future.")
    return {k: table for k, table in offered.items() if table.effective_date <= today}


def _require_sense(news: Tables, last: Tables, *, accept: bool) -> None:
    if not {"A"} & {*news, *last}:
        raise BadRates("no-table", "The bank has no table A.")
    for letter, table in news.items():
        if letter in last and table.effective_date < last[letter].effective_date:
            raise BadRates("older", f"Table {letter} is older than the one in force.")
    rates = combined({**last, **news})
    require_order(rates)
    if not accept:
        require_likeness(rates, combined(last))


def _row(table: Published) -> PublishedTable:
    prices = {
        code: {column: text(price) for column, price in columns.items()}
        for code, columns in table.prices.items()
    }
    return PublishedTable(letter=table.letter, effective_date=table.effective_date, prices=prices)


def _note(refusal: BadRates | None) -> None:
    """Record the result, and log it if it differs from the last one."""
    noted = {"refusal": refusal.code, "detail": refusal.detail} if refusal else NO_REFUSAL
    since = clock.now() if refusal else None
    if not _state().exclude(**noted).update(**noted, refused_since=since):
        return
    if refusal:
        logger.error(
            "No new rates; the last ones stay in force (%s): %s", refusal.code, refusal.detail
        )
    else:
        logger.warning("The bank delivers rates again.")


def _state() -> QuerySet[SyncState]:
    return SyncState.objects.filter(pk=SyncState.ONLY)
