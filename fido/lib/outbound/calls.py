"""Posts to URLs that people have typed in, and only to public addresses (SSRF).

The name is resolved once. All its addresses must be public, and the connection goes to the very
address that was checked: a second lookup could resolve to another one. TLS still verifies the name.
Redirects are not followed, and nobody looks at the response body.
"""

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import urllib3
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, Timeout
from urllib3.exceptions import HTTPError, LocationParseError

from fido.lib.outbound.deadline import DeadlinePassed, Watch, cut_off, watched

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
DEADLINE_SECONDS = 10.0
MAX_URL_LENGTH = 500
MAX_DRAINED_BYTES = 4096

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
    """Post once, and return the response's status.

    Raises:
        NotSent: no answer in time, or a forbidden address. The request may have arrived.
    """
    with Caller(url, allow_loopback=allow_loopback) as caller:
        return caller.post(body, headers)


class Caller:
    """Posts to one URL again and again, over one connection while the other side keeps it.

    A new connection goes to the address that the first call has checked. So a caller must not live
    for long: the name may move. One thread at a time may use it.
    """

    def __init__(self, url: str, *, allow_loopback: bool) -> None:
        self.url, self._allow_loopback = url, allow_loopback
        self._to: Target | None = None
        self._pool: Any = None
        self._socket: socket.socket | None = None
        self._watch: Watch | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.close()

    def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Post, and return the response's status.

        Raises:
            NotSent: no answer in time, or a forbidden address. The request may have arrived.
        """
        to = self._open()
        try:
            with cut_off(DEADLINE_SECONDS) as self._watch:
                if self._socket:  # kept from an earlier call
                    self._watch(self._socket)
                return _posted(self._pool, to, body, headers)
        except DeadlinePassed:
            raise NotSent("timed-out") from None
        except (HTTPError, OSError, ValueError) as error:
            raise NotSent(_kebab(type(error).__name__)) from None

    def _open(self) -> Target:
        """Where to, with the pool of that address."""
        if self._to is None:
            to = target(self.url, allow_loopback=self._allow_loopback)
            address = resolved(to, allow_loopback=self._allow_loopback)
            self._pool, self._to = _pool(to, address, self._connected), to
        return self._to

    def _connected(self, new: socket.socket) -> None:
        self._socket = new
        if self._watch:
            self._watch(new)


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
    if isinstance(address, ipaddress.IPv6Address) and address.is_site_local:
        return False  # which Python, as RFC 3879 does, no longer counts as private
    return address.is_global and not (
        address.is_multicast
        or address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_reserved
        or address.is_unspecified
    )


def _posted(pool: Any, to: Target, body: bytes, headers: Mapping[str, str]) -> int:
    answer = pool.urlopen(
        "POST",
        to.path,
        body=body,
        headers={**headers, "Host": to.host_header},
        retries=False,
        redirect=False,
        preload_content=False,
    )
    # A connection can be kept only once the body is out of the way. Nobody looks at it. One that is
    # long, or does not say how long it is, is not waited for.
    if answer.length_remaining is not None and answer.length_remaining <= MAX_DRAINED_BYTES:
        answer.drain_conn()
        answer.release_conn()
    else:
        answer.close()
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
