"""Counts failed logins; the API and the admin share the counters."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.http import HttpRequest

from fido.lib.api.client_address import client_network
from fido.lib.cache.counters import Counter
from fido.lib.process.database import is_database_away
from fido.lib.values.crypto.fields import normalised_email
from fido.lib.values.errors import TooManyRequests


@contextmanager
def counted(request: HttpRequest, name: str) -> Iterator[None]:
    """Wrap one attempt to log in as `name`; it counts as failed if the block raises.

    Raises:
        TooManyRequests: too many attempts failed for this name or from this address.
    """
    counters = [
        # The address first, so that a blocked address cannot block somebody's name as well.
        Counter("login-from", client_network(request), settings.LOGIN_FAILURES_PER_ADDRESS),
        # Normalised as in the lookup; otherwise each spelling of an address has its own count.
        Counter("login-name", normalised_email(name), settings.LOGIN_FAILURES_PER_NAME),
    ]
    hit: list[Counter] = []
    try:
        for counter in counters:
            counter.hit()
            hit.append(counter)
        yield
    except Exception as error:
        if isinstance(error, TooManyRequests) or is_database_away(error):
            _forgive(hit)  # no password was checked, so none was wrong
        raise
    _forgive(hit)


def _forgive(counters: list[Counter]) -> None:
    for counter in counters:
        counter.forgive()
