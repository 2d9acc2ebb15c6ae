"""Whose address a request came from, when proxies stand between."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not one of our own proxies (`TRUSTED_PROXIES`).

    `X-Forwarded-For` is read from the right, as each proxy appends whom it heard from; what
    stands left of the first address we do not trust was written by the client itself.
    """
    address: str = request.META.get("REMOTE_ADDR", "")
    hops: list[str] = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while hops and is_trusted_proxy(address):
        candidate = hops.pop().strip()
        if not _valid(candidate):
            break
        address = candidate
    return address


def is_trusted_proxy(address: str) -> bool:
    """Whether an address is one of `TRUSTED_PROXIES`, whose forwarding headers are believed."""
    return _valid(address) and any(
        ipaddress.ip_address(address) in network for network in settings.TRUSTED_PROXIES
    )


def _valid(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True
