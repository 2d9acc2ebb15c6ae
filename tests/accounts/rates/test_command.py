"""`manage.py sync_rates`."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.bank import TODAY, StubBank, says, table

pytestmark = pytest.mark.django_db


def test_it_asks_the_bank_however_lately_it_was_asked(
    open_bank: StubBank, capsys: pytest.CaptureFixture
) -> None:
    call_command("sync_rates")
    call_command("sync_rates")

    assert len(open_bank.calls) == 6
    assert f"Rates of {TODAY}, 3 currencies.\n" * 2 in without_logs(capsys)


def without_logs(capsys: pytest.CaptureFixture) -> str:
    lines = capsys.readouterr().out.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("{"))


def test_a_refusal_ends_it_with_the_reason(open_bank: StubBank) -> None:
    open_bank.answers["A"] = says(b"<xml/>")

    with pytest.raises(CommandError) as refusal:
        call_command("sync_rates")

    assert str(refusal.value) == "Table A is not valid JSON. (not-json)"
    assert refusal.value.returncode == 1


def test_it_accepts_what_somebody_has_looked_at(
    open_bank: StubBank, capsys: pytest.CaptureFixture
) -> None:
    call_command("sync_rates")
    open_bank.gives(A=table("A", USD="395"), C=table("C", USD=("390", "400")))
    with pytest.raises(CommandError, match="currency-missing"):
        call_command("sync_rates")

    call_command("sync_rates", accept=True)

    assert without_logs(capsys).endswith(f"Rates of {TODAY}, 1 currencies.\n")


def test_without_a_bank_it_says_so(settings: Any, capsys: pytest.CaptureFixture) -> None:
    settings.RATES_URL = None

    call_command("sync_rates")

    assert without_logs(capsys) == (
        "RATES_URL is not set: these are the rates that ship with Fido.\n"
        "Rates of 2026-01-30, 16 currencies.\n"
    )
