"""Posts to URLs that people have typed in, and only to public addresses (SSRF).

The name is resolved once. All its addresses must be public, and the connection goes to the very
address that was checked: a second lookup could resolve to another one. TLS still verifies the name.
Redirects are not followed, and the response body is not read.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import urllib3
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError, LocationParseError

from fido.lib.outbound.deadline import DeadlinePassed, Watch, cut_off, watched

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
DEADLINE_SECONDS = 10.0
MAX_URL_LENGTH = 500

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotSent(Exception):
    """`code` says why; it names neither the address nor anything that the other side said."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Target:
    """Where a URL leads."""

    secure: bool
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == (443 if self.secure else 80) else f"{name}:{self.port}"


def target(url: str, *, allow_loopback: bool) -> Target:
    """The parts of an https URL; plain http only if loopback is allowed.

    Raises:
        NotSent: it is not such a URL, or contains a user name or a password.
    """
    try:
        parts = urllib3.util.parse_url(url)
    except LocationParseError:
        raise NotSent("malformed-url") from None
    if not parts.host or parts.auth or parts.fragment or len(url) > MAX_URL_LENGTH:
        raise NotSent("malformed-url")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_loopback):
        raise NotSent("not-https")
    secure = parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    return Target(secure, parts.host.strip("[]"), port, parts.request_uri)


def post(url: str, body: bytes, headers: Mapping[str, str], *, allow_loopback: bool) -> int:
    """Post, and return the response's status.

    Raises:
        NotSent: no answer in time, or a forbidden address. The request may have arrived.
    """
    to = target(url, allow_loopback=allow_loopback)
    address = resolved(to, allow_loopback=allow_loopback)
    try:
        with cut_off(DEADLINE_SECONDS) as watch:
            return _posted(to, address, body, headers, watch)
    except DeadlinePassed:
        raise NotSent("timed-out") from None
    except (HTTPError, OSError, ValueError) as error:
        raise NotSent(_kebab(type(error).__name__)) from None


def resolved(to: Target, *, allow_loopback: bool) -> Address:
    """The address to connect to. All addresses of the name must be public.

    Raises:
        NotSent: the name is unknown, or one of its addresses is not public.
    """
    try:
        flags = socket.AI_ADDRCONFIG
        found = socket.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM, flags=flags)
    except (OSError, UnicodeError):
        raise NotSent("unknown-host") from None
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses or not all(_may_reach(each, to, allow_loopback) for each in addresses):
        raise NotSent("address-not-public")
    return addresses[0]


def _may_reach(address: Address, to: Target, allow_loopback: bool) -> bool:
    if allow_loopback and address.is_loopback:
        return True
    return to.secure and is_public(address)


def is_public(address: Address) -> bool:
    """Whether it is a public unicast address."""
    # Two forms in which IPv6 wraps an IPv4 address. The others, NAT64 and Teredo, count as reserved
    # and as private.
    if isinstance(address, ipaddress.IPv6Address) and (
        inner := address.ipv4_mapped or address.sixtofour
    ):
        return is_public(inner)
    return address.is_global and not (
        address.is_multicast
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved
        or address.is_unspecified
    )


def _posted(
    to: Target, address: Address, body: bytes, headers: Mapping[str, str], watch: Watch
) -> int:
    with _pool(to, address, watch) as pool:
        answer = pool.urlopen(
            "POST",
            to.path,
            body=body,
            headers={**headers, "Host": to.host_header},
            retries=False,
            redirect=False,
            preload_content=False,
        )
        answer.close()  # the body is not read
        return int(answer.status)


def _pool(to: Target, address: Address, watch: Watch) -> Any:
    timeout = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    if not to.secure:
        return watched(HTTPConnectionPool(str(address), to.port, timeout=timeout), watch)
    pool = HTTPSConnectionPool(
        str(address),
        to.port,
        timeout=timeout,
        cert_reqs="CERT_REQUIRED",
        server_hostname=to.host,
        assert_hostname=to.host,
    )
    return watched(pool, watch)


def _kebab(name: str) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()
