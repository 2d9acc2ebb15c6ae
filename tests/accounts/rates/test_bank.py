"""Fido requests three tables from the bank's address, and survives whatever the bank does."""

import gzip
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from accounts.rates import bank as client
from accounts.rates.bank import fetch
from accounts.rates.published import BadRates
from fido.lib.values import clock
from tests.bank import (
    PATHS,
    TODAY,
    StubBank,
    dripping,
    endless,
    first,
    hangs_up,
    says,
    silent,
    status,
    table,
)

A = table("A", USD="3.95")


def refusal(bank: StubBank) -> str:
    with pytest.raises(BadRates) as refused:
        fetch(bank.url)
    # Neither what the bank said, nor its address.
    assert bank.url not in refused.value.detail
    return refused.value.code


def self_signed(path: Path) -> Path:
    """A key and a certificate for localhost, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(clock.now() - clock.ONE_DAY)
        .not_valid_after(clock.now() + clock.ONE_DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = (pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(key.private_bytes(*plain) + certificate.public_bytes(pem))
    return path


def test_a_bank_that_cannot_prove_its_name_is_not_believed(
    open_bank: StubBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = self_signed(tmp_path / "bank.pem")
    open_bank.speak_tls(certificate)

    assert refusal(open_bank) == "bank-away"
    assert open_bank.calls == []

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert list(fetch(open_bank.url)) == ["A", "C"]


def test_each_table_is_asked_for_once(open_bank: StubBank) -> None:
    tables = fetch(open_bank.url)

    assert open_bank.calls == list(PATHS)
    assert list(tables) == ["A", "C"]
    assert tables["A"].effective_date == TODAY
    assert tables["C"].prices["USD"] == {"bid": Decimal("3.90"), "ask": Decimal("4.00")}


def test_an_address_with_a_path_of_its_own_is_gone_on_from(bank: StubBank) -> None:
    assert fetch(f"{bank.url}/mirror/nbp") == {}

    assert bank.calls[0] == "/mirror/nbp/api/exchangerates/tables/A/?format=json"


def test_on_a_holiday_there_is_no_table_and_no_refusal(bank: StubBank) -> None:
    assert fetch(bank.url) == {}
    assert len(bank.calls) == 3


def test_a_bank_that_fails_is_asked_again_and_then_no_more(bank: StubBank) -> None:
    bank.gives(A=A)
    bank.answers["A"] = first(status(503), hangs_up, says(A))
    assert fetch(bank.url)["A"].effective_date == TODAY
    assert len(bank.calls) == 5

    bank.calls.clear()
    bank.answers_all(status(503))
    assert refusal(bank) == "bank-away"
    assert len(bank.calls) == client.ATTEMPTS


def test_nobody_there() -> None:
    with pytest.raises(BadRates) as refused:
        fetch("http://127.0.0.1:1")
    assert refused.value.code == "bank-away"


def test_a_name_that_nobody_has() -> None:
    with pytest.raises(BadRates) as refused:
        fetch("http://bank.invalid")
    assert refused.value.code == "bank-away"


def test_a_bank_that_says_nothing_is_not_waited_for(
    bank: StubBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "READ_SECONDS", 0.1)
    bank.answers_all(silent(bank))

    assert refusal(bank) == "bank-away"
    assert len(bank.calls) == client.ATTEMPTS


@pytest.mark.parametrize("head", [True, False])
def test_a_bank_that_drips_is_cut_off(
    bank: StubBank, monkeypatch: pytest.MonkeyPatch, head: bool
) -> None:
    """Each byte comes in time; without the deadline this test would never end."""
    monkeypatch.setattr(client, "DEADLINE_SECONDS", 0.3)
    bank.answers_all(dripping(bank, head=head))

    assert refusal(bank) == "bank-away"


def test_a_bank_is_not_followed_elsewhere(bank: StubBank) -> None:
    with StubBank().open() as other:
        other.gives(A=A)
        for code in (301, 302, 303, 307, 308):
            bank.answers_all(status(code, Location=f"{other.url}{next(iter(PATHS))}"))
            assert refusal(bank) == "bad-status"

        assert other.calls == []


@pytest.mark.parametrize("code", [201, 204, 206, 400, 401, 403])
def test_another_status_is_no_table(bank: StubBank, code: int) -> None:
    bank.answers_all(says(b"" if code == 204 else A, code))

    assert refusal(bank) == "bad-status"


def test_of_fifty_megabytes_little_is_read(bank: StubBank) -> None:
    bank.answers_all(endless)

    assert refusal(bank) == "too-large"
    assert len(bank.calls) == 1


def test_a_body_of_just_the_bound_is_read(bank: StubBank) -> None:
    bank.gives(A=A + b" " * (client.MAX_BYTES - len(A)))
    assert fetch(bank.url)["A"].effective_date == TODAY

    bank.gives(A=A + b" " * (client.MAX_BYTES - len(A) + 1))
    assert refusal(bank) == "too-large"


def test_a_body_that_was_compressed_unasked_is_not_unpacked(bank: StubBank) -> None:
    bomb = gzip.compress(A + b" " * 50_000_000)
    bank.answers_all(says(bomb, **{"Content-Encoding": "gzip"}))

    assert refusal(bank) == "not-json"


def test_a_body_that_breaks_off_is_no_table(bank: StubBank) -> None:
    bank.answers_all(says(A[:-20], **{"Content-Length": str(len(A)), "Connection": "close"}))

    assert refusal(bank) == "bank-away"


def test_a_table_under_another_letter_is_refused(bank: StubBank) -> None:
    bank.gives(A=A, B=table("A", date(2026, 1, 30), AFN="0.05"))

    assert refusal(bank) == "malformed"
