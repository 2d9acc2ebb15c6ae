"""When an endpoint that fails again and again pauses as a whole, and is tried again.

Any success ends that. Otherwise a receiver that is away would take the time of all others: each of
its deliveries would be tried, one after another, and each be waited for.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, QuerySet
from django.db.models.functions import Least, Now

from analytics.alerts.deliveries import delay
from analytics.alerts.models import WebhookEndpoint
from fido.lib.values import clock

# So many in a row, with no success between them.
FAILURES = 5
LONGEST_PAUSE = timedelta(minutes=10)
# While an endpoint is tried; longer than an attempt takes. A worker may die meanwhile.
TRY = timedelta(seconds=60)


def may_send(endpoint: WebhookEndpoint) -> bool:
    """Whether the caller may send there: whatever is due, or, after a pause, one delivery.

    After a pause only one caller may, and has to `note` the result.
    """
    if endpoint.next_try_at is None:
        return True
    rows = _rows(endpoint).filter(next_try_at=endpoint.next_try_at, next_try_at__lte=Now())
    return rows.update(next_try_at=Now() + TRY) == 1


def note(endpoint: WebhookEndpoint, *, is_delivered: bool) -> None:
    """Note how the last attempt went; `endpoint` is as it was when the sending began."""
    if is_delivered:
        _rows(endpoint).exclude(failures=0).update(failures=0, next_try_at=None)
    elif endpoint.next_try_at is None:
        # Others may be sending there, and have begun a pause. This does not prolong it.
        rows = _rows(endpoint).filter(next_try_at=None)
        rows.update(failures=Least(F("failures") + 1, FAILURES))
        rows.filter(failures=FAILURES).update(next_try_at=_after_pause(0))
    else:
        failures = endpoint.failures + 1
        _rows(endpoint).update(failures=failures, next_try_at=_after_pause(failures - FAILURES))


def end(endpoint_ids: set[int]) -> None:
    """End their pauses: somebody has reason to believe that they work."""
    WebhookEndpoint.objects.filter(pk__in=endpoint_ids).update(failures=0, next_try_at=None)


def _after_pause(pauses: int) -> datetime:
    """The end of a pause that begins now, after so many others in a row."""
    return clock.now() + min(delay(pauses), LONGEST_PAUSE)


def _rows(endpoint: WebhookEndpoint) -> QuerySet[WebhookEndpoint]:
    return WebhookEndpoint.objects.filter(pk=endpoint.pk)
