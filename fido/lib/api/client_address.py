"""The address of the client behind any proxies."""

import ipaddress
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest


def client_address(headers: Mapping[str, Any]) -> str:
    """The nearest address that is not one of our own proxies (`TRUSTED_PROXIES`).

    `X-Forwarded-For` is read from the right, because each proxy appends the address that connected
    to it. Anything left of the first untrusted address may have been written by the client.
    `headers` are those of WSGI.
    """
    address = _unmapped(headers.get("REMOTE_ADDR", ""))
    hops: list[str] = headers.get("HTTP_X_FORWARDED_FOR", "").split(",")
    while hops and is_trusted_proxy(address):
        candidate = _unmapped(hops.pop().strip())
        if not _valid(candidate):
            break
        address = candidate
    return address


def client_network(request: HttpRequest) -> str:
    """The unit counted as one client: an IPv4 address, or the /64 that an IPv6 host controls."""
    address = client_address(request.META)
    if not _valid(address) or ipaddress.ip_address(address).version == 4:
        return address
    return str(ipaddress.ip_network(f"{address}/64", strict=False))


def is_trusted_proxy(address: str) -> bool:
    """Whether the address is in `TRUSTED_PROXIES`, whose forwarding headers are trusted."""
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


@lru_cache(4096)  # of each request
def _unmapped(address: str) -> str:
    """The IPv4 address that a dual-stack socket shows as `::ffff:10.0.0.1`."""
    if not _valid(address):
        return address
    mapped = getattr(ipaddress.ip_address(address), "ipv4_mapped", None)
    return str(mapped) if mapped else address
