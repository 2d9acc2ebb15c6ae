"""Whose address a request came from, when proxies stand between."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The nearest address that is not one of our own proxies (`TRUSTED_PROXIES`).

    `X-Forwarded-For` is read from the right, as each proxy appends whom it heard from; what
    stands left of the first address we do not trust was written by the client itself.
    """
    address = _unmapped(request.META.get("REMOTE_ADDR", ""))
    hops: list[str] = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while hops and is_trusted_proxy(address):
        candidate = _unmapped(hops.pop().strip())
        if not _valid(candidate):
            break
        address = candidate
    return address


def client_network(request: HttpRequest) -> str:
    """What is counted as one client: an IPv4 address, or the /64 that an IPv6 host has whole."""
    address = client_address(request)
    if not _valid(address) or ipaddress.ip_address(address).version == 4:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def is_trusted_proxy(address: str) -> bool:
    """Whether an address is one of `TRUSTED_PROXIES`, whose forwarding headers are believed."""
    address = _unmapped(address)
    return _valid(address) and any(
        ipaddress.ip_address(address) in network for network in settings.TRUSTED_PROXIES
    )


def _valid(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _unmapped(address: str) -> str:
    """The IPv4 address that a socket of both families shows as `::ffff:10.0.0.1`."""
    if not _valid(address):
        return address
    mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
    return str(mapped) if mapped else address
