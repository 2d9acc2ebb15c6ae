"""Which client address is counted: an X-Forwarded-For from a client is not trusted."""

import ipaddress

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from fido.lib.api.client_address import client_address, client_network, is_trusted_proxy

PROXY, OUTER_PROXY, CLIENT, SPOOFED = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.9"


@pytest.fixture(autouse=True)
def _one_trusted_network(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = [ipaddress.ip_network(net) for net in ("10.0.0.0/8", "fd00::/8")]


@pytest.mark.parametrize(
    ("remote", "forwarded", "expected"),
    [
        (CLIENT, None, CLIENT),
        (CLIENT, SPOOFED, CLIENT),
        (CLIENT, f"{SPOOFED}, {PROXY}", CLIENT),
        (PROXY, None, PROXY),
        (PROXY, CLIENT, CLIENT),
        (PROXY, f"{SPOOFED}, {CLIENT}", CLIENT),
        (PROXY, f"{SPOOFED},{CLIENT} , {OUTER_PROXY}", CLIENT),
        (PROXY, f"{PROXY}, {CLIENT}", CLIENT),
        (PROXY, f"{CLIENT}, garbage", PROXY),
        (PROXY, "", PROXY),
        (PROXY, ",,,", PROXY),
        (PROXY, "203.0.113.7:443", PROXY),
        (PROXY, OUTER_PROXY, OUTER_PROXY),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", CLIENT, CLIENT),
        ("::ffff:10.0.0.1", f"{SPOOFED}, {CLIENT}, ::ffff:10.0.0.2", CLIENT),
        (PROXY, f"{SPOOFED}, ::ffff:{CLIENT}", CLIENT),
        (f"::ffff:{CLIENT}", SPOOFED, CLIENT),
        ("", SPOOFED, ""),
        ("unix:", SPOOFED, "unix:"),
    ],
)
def test_only_our_own_proxies_are_trusted(
    remote: str, forwarded: str | None, expected: str
) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote)

    assert client_address(request.META) == expected


def test_without_a_proxy_of_ours_no_header_is_trusted(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = []
    request = RequestFactory().get("/", headers={"X-Forwarded-For": SPOOFED}, REMOTE_ADDR=PROXY)

    assert client_address(request.META) == PROXY


def test_a_proxy_is_also_recognised_by_its_mapped_address() -> None:
    assert is_trusted_proxy("::ffff:10.0.0.1")
    assert not is_trusted_proxy(f"::ffff:{CLIENT}")


@pytest.mark.parametrize(
    ("remote", "network"),
    [
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::2", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        (CLIENT, CLIENT),
        (f"::ffff:{CLIENT}", CLIENT),
        (SPOOFED, SPOOFED),
        ("unix:", "unix:"),
        ("", ""),
    ],
)
def test_an_ipv6_host_is_counted_by_its_whole_network(remote: str, network: str) -> None:
    assert client_network(RequestFactory().get("/", REMOTE_ADDR=remote)) == network
