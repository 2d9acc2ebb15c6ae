"""Whose address is counted: what a client writes into X-Forwarded-For is not believed."""

import ipaddress

import pytest
from django.test import RequestFactory
from pytest_django.fixtures import Settings

from fido.lib.client_address import client_address

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
        ("", SPOOFED, ""),
        ("unix:", SPOOFED, "unix:"),
    ],
)
def test_only_our_own_proxies_are_believed(
    remote: str, forwarded: str | None, expected: str
) -> None:
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    request = RequestFactory().get("/", headers=headers, REMOTE_ADDR=remote)

    assert client_address(request) == expected


def test_with_no_proxy_of_ours_nothing_is_believed(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = []
    request = RequestFactory().get("/", headers={"X-Forwarded-For": SPOOFED}, REMOTE_ADDR=PROXY)

    assert client_address(request) == PROXY
