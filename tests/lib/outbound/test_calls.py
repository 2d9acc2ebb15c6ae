"""URLs that people type in never reach internal addresses (SSRF)."""

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fido.lib.outbound import calls
from fido.lib.outbound.calls import Caller, NotSent, is_public, post, target
from tests.accounts.rates.test_bank import self_signed
from tests.receiver import Receiver

OURS = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0"),
    *("100.64.0.1", "224.0.0.1", "239.1.2.3", "240.0.0.1", "255.255.255.255", "192.0.2.1"),
    *("::1", "::", "fe80::1", "fec0::1", "fc00::1", "ff02::1", "ff0e::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1"),
    *("2002:7f00:1::", "2002:a00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2"),
]
PUBLIC = ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().open() as open_receiver:
        yield open_receiver


@pytest.fixture
def leads_to(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Have every name resolve to these addresses in turn; return the names that were looked up."""

    def lead(*rounds: list[str]) -> list[str]:
        asked: list[str] = []

        def look_up(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
            addresses = rounds[min(len(asked), len(rounds) - 1)]
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

        monkeypatch.setattr("fido.lib.outbound.calls.socket.getaddrinfo", look_up)
        return asked

    return lead


def refusal(url: str, *, allow_loopback: bool = False) -> str:
    with pytest.raises(NotSent) as refused:
        post(url, b"{}", {}, allow_loopback=allow_loopback)
    return refused.value.code


@pytest.mark.parametrize("address", OURS)
def test_an_address_of_ours_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", OURS)
def test_a_name_that_leads_there_is_refused_and_so_is_one_that_also_does(
    leads_to: Any, address: str
) -> None:
    for addresses in ([address], ["8.8.8.8", address]):
        leads_to(addresses)

        assert refusal("https://hook.example.org/") == "address-not-public"


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/", "https://[::1]/", "https://2130706433/", "https://0x7f.1/"]
)
def test_an_address_in_the_url_is_looked_at_too(url: str) -> None:
    assert refusal(url) in {"address-not-public", "unknown-host"}


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://example.org/", "not-https"),
        ("ftp://example.org/", "not-https"),
        ("file:///etc/passwd", "malformed-url"),
        ("example.org", "not-https"),
        ("https://", "malformed-url"),
        ("https://user:pw@example.org/", "malformed-url"),
        ("https://example.org/#x", "malformed-url"),
        ("https://example.org/" + "x" * 500, "malformed-url"),
        ("https://exa mple.org:99999/", "malformed-url"),
    ],
)
def test_what_is_no_address_to_send_to_is_refused(url: str, code: str) -> None:
    with pytest.raises(NotSent) as refused:
        target(url, allow_loopback=False)
    assert refused.value.code == code


def test_what_was_looked_at_is_what_is_connected_to(
    leads_to: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A second lookup to connect would resolve to our own machine.
    asked = leads_to(["8.8.8.8"], ["127.0.0.1"])
    connected: list[Any] = []

    def connect(address: Any, *args: Any, **kwargs: Any) -> Any:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)

    assert refusal(f"https://hook.example.org:{receiver.port}/") == "new-connection-error"
    assert (asked, connected) == (["hook.example.org"], [("8.8.8.8", receiver.port)])


def test_tls_is_for_the_name_though_the_address_is_connected_to(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, leads_to: Any
) -> None:
    certificate = self_signed(tmp_path / "receiver.pem")
    receiver.speak_tls(certificate)
    assert refusal(receiver.url, allow_loopback=True) == "ssl-error"
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    leads_to(["127.0.0.1"])

    assert post(receiver.url, b"{}", {"x": "y"}, allow_loopback=True) == 204
    other = receiver.url.replace("localhost", "hook.example.org")
    assert refusal(other, allow_loopback=True) == "ssl-error"
    ((headers, body),) = receiver.received
    assert (headers["Host"], headers["x"], body) == (f"localhost:{receiver.port}", "y", "{}")
    assert receiver.paths == ["/hook?a=1"]


def test_loopback_and_plain_http_are_for_tests_only(receiver: Receiver, leads_to: Any) -> None:
    assert refusal(receiver.url) == "not-https"
    assert refusal(receiver.url.replace("http:", "https:")) == "address-not-public"
    assert post(receiver.url, b"{}", {}, allow_loopback=True) == 204
    leads_to(["8.8.8.8"])
    assert refusal("http://hook.example.org/", allow_loopback=True) == "address-not-public"
    leads_to(["10.0.0.1"])
    assert refusal("https://hook.example.org/", allow_loopback=True) == "address-not-public"


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": receiver.url}

    assert post(receiver.url, b"{}", {}, allow_loopback=True) == 307
    assert len(receiver.received) == 1


@pytest.mark.parametrize("way", ["hangs", "dripping"])
def test_who_is_slow_is_cut_off(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(calls, "DEADLINE_SECONDS", 0.3)
    setattr(receiver, way, True)

    assert refusal(receiver.url, allow_loopback=True) == "timed-out"


def test_nobody_there(receiver: Receiver) -> None:
    assert refusal("http://127.0.0.1:1/", allow_loopback=True) == "new-connection-error"


@pytest.fixture
def caller(receiver: Receiver) -> Iterator[Caller]:
    with Caller(receiver.url, allow_loopback=True) as caller:
        yield caller


@pytest.mark.parametrize(("size", "connections"), [(0, 1), (100, 1), (1_000_000, 3)])
def test_a_connection_is_kept_unless_the_answer_is_long(
    receiver: Receiver, caller: Caller, size: int, connections: int
) -> None:
    receiver.status, receiver.body = 200, b"x" * size

    assert [caller.post(b"{}", {}) for _ in range(3)] == [200] * 3
    assert receiver.connections == connections


def connected(address: tuple[str, int], *args: Any, **options: Any) -> socket.socket:
    """A connection that is made without another lookup."""
    made = socket.socket()
    made.connect(address)
    return made


def test_a_name_is_looked_up_once_and_each_connection_goes_where_that_led(
    receiver: Receiver, leads_to: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = leads_to(["127.0.0.1"], ["10.0.0.1"])
    monkeypatch.setattr("urllib3.util.connection.create_connection", connected)
    url = receiver.url.replace("127.0.0.1", "hook.example.org")
    receiver.headers = {"Connection": "close"}

    with Caller(url, allow_loopback=True) as caller:
        assert [caller.post(b"{}", {}) for _ in range(2)] == [204] * 2

    assert (asked, receiver.connections) == (["hook.example.org"], 2)


def test_the_deadline_is_there_on_a_kept_connection_too(
    receiver: Receiver, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert caller.post(b"{}", {}) == 204
    monkeypatch.setattr(calls, "DEADLINE_SECONDS", 0.3)
    receiver.dripping = True
    # Otherwise a call that is not cut off would go on for ever.
    patience = threading.Timer(30, setattr, (receiver, "dripping", False))
    patience.start()

    with pytest.raises(NotSent, match="timed-out"):
        caller.post(b"{}", {})

    assert (receiver.dripping, receiver.connections) == (True, 1)
    patience.cancel()
    receiver.dripping = False
    assert caller.post(b"{}", {}) == 204
