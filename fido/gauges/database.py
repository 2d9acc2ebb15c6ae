"""What waits in PostgreSQL. Each statement reads a bounded number of rows, by an index.

They stand here together, and not in the apps' queries, because their cost is one: a scrape's.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import Error, connection, transaction
from django_celery_beat.models import PeriodicTask
from prometheus_client.core import GaugeMetricFamily

from accounts.rates.models import PublishedTable
from accounts.rates.queries import sync_state
from analytics.checks import queries as standing_checks
from fido.gauges.families import Readings, by_label, gauge
from fido.lib.process.statements import rows_of
from fido.lib.values import clock
from fido.queues import PERIODIC

logger = logging.getLogger(__name__)

# Of each statement. All of them together end before Prometheus gives a scrape up (10 s).
STATEMENT_MILLISECONDS = 500
# Counted no further: beyond it, how much waits is a matter of its age.
MOST_COUNTED = 10_000
STUCK = timedelta(minutes=10)

# Always by an index. PostgreSQL takes pending rows to be spread over the table, and would read it
# from its beginning until it has met enough of them; but they are at its end.
LIMITS = """
SELECT set_config('statement_timeout', %s, true), set_config('transaction_read_only', 'on', true),
    set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'off', true)
"""
# The oldest of at most MOST_COUNTED + 1 rows, which no index has in the order of their age.
# PostgreSQL before 18 has no min(uuid).
TOTALS = """
SELECT count(*), min(id::text)
FROM (SELECT id FROM analytics_dailytotals WHERE pending LIMIT %(most)s) AS first
"""
CHECKS = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
FROM (SELECT created_at FROM alerts_pendingcheck ORDER BY id LIMIT %(most)s) AS first
"""
# Of enabled endpoints. Those that are due come first, and a retry is due later. While an endpoint
# pauses, nothing is overdue there.
DELIVERIES = """
SELECT endpoint.id, count(first.due_at),
    coalesce(extract(epoch FROM now() - min(first.created_at)), 0)::float8,
    coalesce(extract(epoch FROM now() - min(greatest(first.due_at, endpoint.next_try_at))
        FILTER (WHERE first.due_at IS NOT NULL)), 0)::float8
FROM alerts_webhookendpoint AS endpoint
LEFT JOIN (
    SELECT endpoint_id, due_at, created_at FROM alerts_delivery
    WHERE status = 'pending'
        AND endpoint_id IN (SELECT id FROM alerts_webhookendpoint WHERE enabled)
    ORDER BY due_at LIMIT %(most)s
) AS first ON first.endpoint_id = endpoint.id
WHERE endpoint.enabled
GROUP BY endpoint.id
"""
# A worker prolongs its lease with each batch that it commits.
IMPORTS = """
SELECT CASE WHEN coalesce(leased_until, created_at) < now() - %(stuck)s THEN 'stuck' ELSE status END
    AS state, count(*)
FROM imports_import WHERE status IN ('queued', 'running', 'undoing')
GROUP BY state
"""
# The statistics' view shows each role the names of all applications.
CONNECTIONS = """
SELECT count(*) FILTER (WHERE application_name = 'fido'),
    count(*) FILTER (WHERE application_name <> 'fido'),
    current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
FROM pg_stat_activity WHERE datid IS NOT NULL
"""


def readings() -> Readings:
    """The gauges by reading; None: PostgreSQL did not answer, or not in time."""
    found: Readings = dict.fromkeys(READINGS)
    with suppress(Error), _bounded():
        for name, read in READINGS.items():
            found[name] = _tried(name, read)
    return found


@contextmanager
def _bounded() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(LIMITS, [f"{STATEMENT_MILLISECONDS}ms"])
        yield
        transaction.set_rollback(True)  # inside a test's transaction, only this ends the limits


def _tried(
    name: str, read: Callable[[], Iterator[GaugeMetricFamily]]
) -> list[GaugeMetricFamily] | None:
    # A savepoint, so that one that takes too long does not take the others with it.
    try:
        with transaction.atomic():
            return list(read())
    except Error as error:
        logger.warning("The gauges of %s could not be read: %s", name, type(error).__name__)
        return None


def _one(sql: str, **parameters: Any) -> tuple[Any, ...]:
    return rows_of(sql, parameters)[0]


def _totals() -> Iterator[GaugeMetricFamily]:
    count, oldest = _one(TOTALS, most=MOST_COUNTED + 1)
    yield gauge("fido_pending_totals", "Changes of daily totals that wait to be folded.", count)
    yield gauge(
        "fido_pending_totals_oldest_seconds",
        "For how long the oldest of them has waited.",
        _age_of_id(oldest) if oldest else 0,
    )


def _age_of_id(text: str) -> float:
    """How long ago a UUIDv7 was made: its first 48 bits are milliseconds."""
    return max(0.0, clock.now().timestamp() - (UUID(text).int >> 80) / 1000)


def _checks() -> Iterator[GaugeMetricFamily]:
    count, age = _one(CHECKS, most=MOST_COUNTED + 1)
    yield gauge("fido_pending_checks", "Marks of transactions to check for alerts.", count)
    yield gauge(
        "fido_pending_checks_oldest_seconds",
        "For how long the oldest of them has waited.",
        max(0.0, age),
    )


def _differences() -> Iterator[GaugeMetricFamily]:
    state = standing_checks.state()
    text = "What standing checks have found and is still there."
    yield by_label("fido_differences", text, "kind", state.differences)
    if state.oldest:
        age = clock.now() - state.oldest
        text = "How long ago the user was checked who has waited longest."
        yield gauge("fido_oldest_check_seconds", text, age.total_seconds())


def _deliveries() -> Iterator[GaugeMetricFamily]:
    rows = rows_of(DELIVERIES, {"most": MOST_COUNTED + 1})
    columns = (
        ("fido_pending_deliveries", "Webhooks not delivered yet, by the endpoint's id."),
        ("fido_pending_deliveries_oldest_seconds", "How long ago the oldest was raised."),
        ("fido_pending_deliveries_overdue_seconds", "For how long the first has been due."),
    )
    for place, (name, text) in enumerate(columns, 1):
        values = {str(row[0]): max(0.0, row[place]) for row in rows}
        yield by_label(name, text, "endpoint", values)


def _imports() -> Iterator[GaugeMetricFamily]:
    counts = {"queued": 0.0, "running": 0.0, "undoing": 0.0, "stuck": 0.0}
    counts |= dict(rows_of(IMPORTS, {"stuck": STUCK}))
    text = "Unfinished imports; stuck ones have made no progress for ten minutes."
    yield by_label("fido_imports", text, "state", counts)


def _rates() -> Iterator[GaugeMetricFamily]:
    """Only with a bank: the table that ships with Fido does not age."""
    if not settings.RATES_URL:
        return
    limit = timedelta(hours=settings.RATES_STALE_HOURS).total_seconds()
    yield gauge("fido_rates_age_seconds", "Since the end of the rates' own day.", _age_of_rates())
    yield gauge("fido_rates_stale_after_seconds", "The age from which rates are stale.", limit)
    state = sync_state()
    since = (clock.now() - state.refused_since).total_seconds() if state.refused_since else 0
    text = "For how long new rates have been refused, and why."
    yield by_label("fido_rates_refused_seconds", text, "reason", {state.refusal or "none": since})


def _age_of_rates() -> float:
    """Infinite while the bank has delivered none."""
    rows = PublishedTable.objects.filter(letter="A").order_by("-effective_date", "-id")
    day = rows.values_list("effective_date", flat=True).first()
    if day is None:
        return math.inf
    return max(0.0, (clock.now() - clock.midnight(day) - clock.ONE_DAY).total_seconds())


def _connections() -> Iterator[GaugeMetricFamily]:
    ours, others, most = _one(CONNECTIONS)
    text = "Connections to the PostgreSQL server, of all its databases."
    yield by_label("fido_database_connections", text, "of", {"fido": ours, "others": others})
    yield gauge("fido_database_connections_max", "How many it accepts.", most)


def _schedule() -> Iterator[GaugeMetricFamily]:
    # Not from the settings: staff may switch a job off, or change its interval.
    rows = PeriodicTask.objects.filter(enabled=True, interval__isnull=False, task__in=PERIODIC)
    text = "How often a periodic job should run. Those that are switched off are left out."
    intervals = {row.task: row.schedule.run_every.total_seconds() for row in rows}
    yield by_label("fido_periodic_interval_seconds", text, "task", intervals)


READINGS: dict[str, Callable[[], Iterator[GaugeMetricFamily]]] = {
    "differences": _differences,
    "totals": _totals,
    "checks": _checks,
    "deliveries": _deliveries,
    "imports": _imports,
    "rates": _rates,
    "connections": _connections,
    "schedule": _schedule,
}
