"""Counts failed logins, at every door in the same counters."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest

from fido.lib.client_address import client_address
from fido.lib.crypto.fields import normalised_email
from fido.lib.throttling import Counter


@contextmanager
def counted(request: HttpRequest, name: str) -> Iterator[None]:
    """Around one attempt to log in as `name`; it counts as failed unless the block ends well.

    Raises:
        Throttled: too many failed for this name or from this address.
    """
    counters = [
        # Normalised as the look-up does it, or each way to write an address had its own count.
        Counter("login-name", normalised_email(name), settings.LOGIN_FAILURES_PER_NAME),
        Counter("login-from", client_address(request), settings.LOGIN_FAILURES_PER_ADDRESS),
    ]
    for counter in counters:
        counter.hit()
    yield
    for counter in counters:
        counter.forgive()
