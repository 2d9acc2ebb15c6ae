"""A missing or malformed variable stops the start with a sentence that never shows its value."""

from collections.abc import Callable
from decimal import Decimal
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from fido.env import SECRETS, Environment, is_given
from fido.lib.values.limits import Rate

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
    ("fernet_keys", ["x", SHORT, "A" * 44, "A" * 43 + "=,secret-half"]),
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
    # The original message may quote it, and a traceback would print that.
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


def test_a_secret_is_read_from_the_file_that_its_variable_names(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x" * 32 + "\n")
    for name in SECRETS:
        env = Environment({f"{name}_FILE": str(secret), name: " "})

        assert env.text(name, "a secret") == "x" * 32
        assert is_given(name, {f"{name}_FILE": str(secret)})
    assert not is_given("SECRET_KEY", {"SECRET_KEY": " ", "OTHER_FILE": str(secret)})


def test_a_ring_of_keys_is_read_from_a_file(tmp_path: Path) -> None:
    keys = [Fernet.generate_key().decode() for _ in range(2)]
    (tmp_path / "ring").write_text("\n".join(keys) + "\n")

    assert Environment({"FERNET_KEYS_FILE": str(tmp_path / "ring")}).fernet_keys("FERNET_KEYS") == (
        keys
    )


def test_only_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "level").write_text("DEBUG")

    assert (
        Environment({"LOG_LEVEL_FILE": str(tmp_path / "level")}).text("LOG_LEVEL", "", "x") == "x"
    )


def test_a_secret_and_its_file_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x" * 32)
    both = {"SECRET_KEY": "y" * 32, "SECRET_KEY_FILE": str(tmp_path / "secret")}

    with pytest.raises(ImproperlyConfigured, match=r"^Set SECRET_KEY or SECRET_KEY_FILE, but not"):
        Environment(both)


@pytest.mark.parametrize("content", [None, b"\xff\xfe secret"])
def test_a_file_that_cannot_be_read_names_its_variable(
    content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(ImproperlyConfigured) as refusal:
        Environment({"REDIS_URL_FILE": str(file)})

    assert str(refusal.value) == "REDIS_URL_FILE must name a readable text file."
    assert refusal.value.__suppress_context__


def test_an_empty_file_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")

    with pytest.raises(ImproperlyConfigured, match=r"^Set SECRET_KEY: a secret\.$"):
        Environment({"SECRET_KEY_FILE": str(tmp_path / "empty")}).text("SECRET_KEY", "a secret")
