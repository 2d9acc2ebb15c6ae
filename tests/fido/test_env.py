"""A missing or malformed variable stops the start with a sentence, and never tells its value."""

from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from fido.env import Environment, Rate

Read = Callable[[Environment], Any]

SHORT = "c2hvcnQtc2VjcmV0"
READS: dict[str, Read] = {
    "text": lambda env: env.text("IT", "a thing"),
    "secret": lambda env: env.secret("IT", "a secret", 32),
    "token": lambda env: env.token("IT"),
    "folder": lambda env: env.folder("IT"),
    "boolean": lambda env: env.boolean("IT", default=True),
    "integer": lambda env: env.integer("IT", default=3),
    "rate": lambda env: env.rate("IT", "10/5m"),
    "currency": lambda env: env.currency("IT", default="USD", known={"USD", "JPY"}),
    "factor": lambda env: env.factor("IT", default="2"),
    "url": lambda env: env.url("IT"),
    "networks": lambda env: env.networks("IT"),
    "fernet_keys": lambda env: env.fernet_keys("IT"),
    "index_keys": lambda env: env.index_keys("IT"),
}
MALFORMED = [
    ("secret", ["x" * 31, "é" * 15, SHORT]),
    ("token", ["x" * 15, "é" * 16, "a token with spaces in it", "x" * 16 + "\t" + "x"]),
    ("folder", ["/nowhere/at/all", "/etc/passwd", "/proc"]),
    ("boolean", ["maybe", "2", "tru", "y"]),
    ("integer", ["0", "-1", "1.5", "1e3", "٣", "1_000", "9" * 10, "three"]),
    ("rate", ["10", "10/5", "0/5m", "10/0m", "10/5w", "-1/5m", "١/5m", "none", "10/5m "[:4]]),
    ("currency", ["usd", "EUR", "XXX", "US"]),
    ("factor", ["1", "0.5", "-2", "1e3", "NaN", "2,5", "٣", ".5", "two"]),
    ("url", ["bank.example", "ftp://bank.example", "https://", "https://bank.example:99999"]),
    ("url", ["https://user:secret@bank.example", "https://bank.example/?key=secret"]),
    ("url", ["https://bank.example/#a", "https://bank.example/a b", "https://[bank", "file:///x"]),
    ("networks", ["10.0.0.0/33", "10.0.0.1/8", "localhost", "10.0.0.0/8,nope"]),
    ("fernet_keys", ["x", SHORT, "A" * 44, Fernet.generate_key().decode() + ",secret-half"]),
    ("index_keys", ["x", SHORT, "!" * 44, "A" * 43 + "=," + SHORT]),
]


@pytest.mark.parametrize(
    ("kind", "value"), [(kind, value) for kind, values in MALFORMED for value in values], ids=ascii
)
def test_a_malformed_variable_names_itself_and_not_its_value(kind: str, value: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refusal:
        READS[kind](Environment({"IT": value}))

    assert str(refusal.value).startswith("IT ")
    assert str(refusal.value).endswith(".")
    assert len(value) < 5 or value not in str(refusal.value)
    # The original message may quote it, and a traceback prints it.
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


@pytest.mark.parametrize("kind", ["text", "secret", "fernet_keys", "index_keys"])
@pytest.mark.parametrize("variables", [{}, {"IT": ""}, {"IT": "  "}])
def test_what_has_no_default_must_be_set(kind: str, variables: dict[str, str]) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"^Set IT: .*\.$"):
        READS[kind](Environment(variables))


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("text", " x ", "x"),
        ("secret", "x" * 32, "x" * 32),
        ("token", "x" * 16, "x" * 16),
        ("token", " ", None),
        ("folder", "/tmp", "/tmp"),
        ("folder", "", None),
        ("boolean", "On", True),
        ("boolean", "0", False),
        ("boolean", "", True),
        ("integer", "42", 42),
        ("integer", "", 3),
        ("rate", "100/2h", Rate(100, 7200)),
        ("rate", "off", None),
        ("rate", "", Rate(10, 300)),
        ("currency", "JPY", "JPY"),
        ("currency", "", "USD"),
        ("factor", "1.5", Decimal("1.5")),
        ("factor", "", Decimal(2)),
        ("url", "", None),
        ("url", "https://bank.example", "https://bank.example"),
        ("url", "http://127.0.0.1:8080/mirror/", "http://127.0.0.1:8080/mirror"),
        ("networks", "10.0.0.0/8, fd00::/8 192.0.2.1", ["10.0.0.0/8", "fd00::/8", "192.0.2.1/32"]),
        ("networks", "", []),
        ("index_keys", "A" * 43 + "=", [bytes(32)]),
    ],
)
def test_a_well_formed_one_is_read(kind: str, value: str, expected: Any) -> None:
    if kind == "networks":
        expected = [ip_network(network) for network in expected]

    assert READS[kind](Environment({"IT": value})) == expected


def test_keys_keep_their_order() -> None:
    keys = [Fernet.generate_key().decode() for _ in range(3)]

    assert Environment({"IT": ", ".join(keys)}).fernet_keys("IT") == keys
