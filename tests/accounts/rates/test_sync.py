"""The sync: one at a time, whole tables or nothing, and every refusal logged once."""

import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.rates import operations, queries, tasks
from accounts.rates.conversion import convert
from accounts.rates.models import PublishedTable, SyncState
from accounts.rates.published import BadRates
from accounts.rates.table import RatesUnavailable, RateTable
from fido.lib.values import clock
from tests.bank import TODAY, YESTERDAY, Say, StubBank, endless, says, status, table
from tests.races import at_once

pytestmark = pytest.mark.django_db
TOMORROW = TODAY + timedelta(days=1)
DEALING = {"USD": ("3.90", "4.00"), "EUR": ("4.20", "4.30")}


def synced(bank: StubBank, **options: bool) -> RateTable:
    operations.sync_now(bank.url, **{"accept": False, **options})
    return queries.in_force()


def refused(bank: StubBank) -> str:
    """The refusal's code, after checking that the refusal changed nothing."""
    before = list(PublishedTable.objects.values()), queries.in_force()
    with pytest.raises(BadRates) as refusal:
        operations.sync_now(bank.url, accept=False)
    assert (list(PublishedTable.objects.values()), queries.in_force()) == before
    return refusal.value.code


def a_day_later() -> None:
    """Make all stored tables one day older."""
    for row in PublishedTable.objects.all():
        PublishedTable.objects.filter(pk=row.pk).update(
            effective_date=row.effective_date - timedelta(days=1)
        )
    for name in ("attempted_at", "fetched_at"):
        at = getattr(SyncState.objects.get(), name)
        SyncState.objects.update(**{name: at - timedelta(days=1)})


def due() -> None:
    SyncState.objects.update(attempted_at=clock.now() - timedelta(seconds=60))


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.message for record in caplog.records if record.levelno > logging.INFO]


def usd(found: RateTable) -> Any:
    return found.rates["USD"]


def test_what_the_bank_gives_is_in_force(open_bank: StubBank) -> None:
    found = synced(open_bank)

    assert (found.base, found.source, found.effective_date) == ("PLN", "bank", TODAY)
    assert sorted(found.rates) == ["EUR", "JPY", "USD"]
    assert (usd(found).mid, usd(found).bid) == (Decimal("3.95"), Decimal("3.90"))
    assert found.rates["JPY"].bid is None
    assert queries.rate_as_of(clock.now()).rates == found.rates
    assert PublishedTable.objects.count() == 2


def test_the_same_again_is_no_new_row_and_fetched_later(open_bank: StubBank) -> None:
    first = synced(open_bank)

    second = synced(open_bank)

    assert second.fetched_at > first.fetched_at
    assert second.rates == first.rates
    assert PublishedTable.objects.count() == 2


def test_ten_beats_at_once_ask_once(open_bank: StubBank, transactional_db: None) -> None:
    at_once(*[tasks.sync] * 10)

    assert len(open_bank.calls) == 3
    assert usd(queries.in_force()).mid == Decimal("3.95")


def test_a_beat_asks_again_when_the_interval_is_over(open_bank: StubBank) -> None:
    tasks.sync()
    tasks.sync()
    assert len(open_bank.calls) == 3

    due()
    tasks.sync()
    assert len(open_bank.calls) == 6


def test_two_who_insist_add_a_table_once(open_bank: StubBank, transactional_db: None) -> None:
    calls = [lambda: operations.sync_now(open_bank.url, accept=False)] * 4

    at_once(*calls)

    assert sorted(PublishedTable.objects.values_list("letter", flat=True)) == ["A", "C"]


def test_without_a_bank_nobody_is_asked(settings: Any) -> None:
    settings.RATES_URL = None

    tasks.sync()

    assert queries.in_force().source == "shipped"
    assert not SyncState.objects.exists()


def test_a_bank_that_never_gave_a_table_is_told_of(bank: StubBank) -> None:
    with pytest.raises(BadRates, match="The bank has no table A"):
        operations.sync_now(bank.url, accept=False)
    with pytest.raises(RatesUnavailable):
        queries.in_force()
    assert queries.sync_state().refusal == "no-table"


def test_on_a_holiday_the_last_table_stands(open_bank: StubBank) -> None:
    before = synced(open_bank)
    open_bank.gives()

    assert synced(open_bank) == before
    assert queries.sync_state().refusal == ""


def test_a_table_that_is_not_there_today_is_the_last_one(open_bank: StubBank) -> None:
    synced(open_bank)
    open_bank.gives(A=table("A", USD="3.97", EUR="4.25", JPY="0.0250"))

    found = synced(open_bank)

    assert (usd(found).mid, usd(found).bid) == (Decimal("3.97"), Decimal("3.90"))


def test_bank_down_for_a_day(open_bank: StubBank) -> None:
    before = synced(open_bank)
    a_day_later()
    open_bank.answers_all(status(503))

    tasks.sync()

    found = queries.in_force()
    assert found.effective_date == YESTERDAY
    assert clock.now() - found.fetched_at >= timedelta(days=1)
    assert not found.stale
    assert found.rates == before.rates
    assert convert(Decimal(100), source="USD", target="PLN", table=found) == Decimal("395.00")


A = {"USD": "3.95", "EUR": "4.25", "JPY": "0.0250"}
WRONG: dict[str, tuple[dict[str, Say], str]] = {
    "currency missing": ({"A": says(table("A", USD="3.95", EUR="4.25"))}, "currency-missing"),
    "zero": ({"A": says(table("A", **A | {"USD": "0"}))}, "out-of-bounds"),
    "negative": ({"A": says(table("A", **A | {"USD": "-3.95"}))}, "out-of-bounds"),
    "NaN": ({"A": says(table("A", **A | {"USD": "NaN"}))}, "not-json"),
    "100 times": ({"A": says(table("A", **A | {"JPY": "2.50"}))}, "moved-too-far"),
    "a 100th": ({"A": says(table("A", **A | {"JPY": "0.000250"}))}, "moved-too-far"),
    "50 MB": ({"A": endless}, "too-large"),
    "XML": ({"A": says(b"<ArrayOfExchangeRatesTable/>")}, "not-json"),
    "bid missing": ({"C": says(table("C", USD=("3.90", "4.00")))}, "currency-missing"),
    "bid above ask": (
        {"C": says(table("C", **DEALING | {"USD": ("4.01", "4.00")}))},
        "bid-above-ask",
    ),
    "another base": ({"A": says(table("A", **A | {"PLN": "4.2"}))}, "malformed"),
    "older": ({"A": says(table("A", TODAY - timedelta(days=9), **A))}, "older"),
    "far in the future": ({"A": says(table("A", TODAY + timedelta(days=8), **A))}, "future"),
}


@pytest.mark.parametrize(("wrong", "code"), WRONG.values(), ids=WRONG)
def test_a_wrong_table_is_refused_whole_and_logged_once(
    open_bank: StubBank, wrong: dict[str, Say], code: str, caplog: pytest.LogCaptureFixture
) -> None:
    synced(open_bank)
    # This includes the valid table next to it: a wrong answer is not used in part.
    right = {"A": says(table("A", **A | {"USD": "3.99"})), "C": says(table("C", **DEALING))}
    open_bank.answers = right | wrong

    for _ in range(3):
        due()
        tasks.sync()

    (complaint,) = complaints(caplog)
    assert complaint.startswith(f"No new rates; the last ones stay in force ({code}): ")
    assert refused(open_bank) == code
    assert usd(queries.in_force()).mid == Decimal("3.95")


def test_the_end_of_a_refusal_is_logged_and_another_one_too(
    open_bank: StubBank, caplog: pytest.LogCaptureFixture
) -> None:
    good = synced(open_bank)
    since: list[Any] = []
    for say in (says(b"<xml/>"), says(b"<xml/>"), endless):
        open_bank.answers["A"] = say
        refused(open_bank)
        since.append(queries.sync_state().refused_since)
    open_bank.answers["A"] = says(table("A", **A))

    assert synced(open_bank).rates == good.rates

    assert [message[:49] for message in complaints(caplog)] == [
        "No new rates; the last ones stay in force (not-js",
        "No new rates; the last ones stay in force (too-la",
        "The bank delivers rates again.",
    ]
    assert since[0] == since[1] < since[2]
    assert queries.sync_state().refused_since is None


def test_somebody_who_has_looked_can_accept_what_was_refused(open_bank: StubBank) -> None:
    synced(open_bank)
    open_bank.gives(A=table("A", USD="395", EUR="425"), C=table("C", USD=("390", "400")))
    assert refused(open_bank) == "moved-too-far"

    found = synced(open_bank, accept=True)

    assert sorted(found.rates) == ["EUR", "USD"]
    assert usd(found).mid == 395
    assert refused_when_zero(open_bank) == "out-of-bounds"


def refused_when_zero(bank: StubBank) -> str:
    bank.gives(A=table("A", USD="0"))
    with pytest.raises(BadRates) as refusal:
        operations.sync_now(bank.url, accept=True)
    return refusal.value.code


def test_a_correction_of_the_same_day_counts(open_bank: StubBank) -> None:
    synced(open_bank)
    open_bank.gives(A=table("A", **A | {"USD": "3.96"}))

    assert usd(synced(open_bank)).mid == Decimal("3.96")
    assert PublishedTable.objects.filter(letter="A").count() == 2


def test_a_table_of_tomorrow_waits_for_its_day(open_bank: StubBank) -> None:
    before = synced(open_bank)
    open_bank.gives(A=table("A", TOMORROW, **A | {"USD": "3.99"}), C=table("C", **DEALING))

    after = synced(open_bank)

    assert after == before
    assert PublishedTable.objects.count() == 2


def test_bid_and_ask_of_another_day_than_the_mid_are_used(bank: StubBank) -> None:
    bank.gives(A=table("A", YESTERDAY, USD="3.95"), C=table("C", USD=("3.97", "4.05")))

    found = synced(bank)

    assert found.effective_date == YESTERDAY
    assert usd(found).bid == Decimal("3.97")


def test_the_table_of_any_day_is_found(bank: StubBank) -> None:
    for days, rate in ((9, "3.80"), (7, "3.85"), (7, "3.86"), (2, "3.95")):
        bank.gives(A=table("A", TODAY - timedelta(days=days), USD=rate))
        synced(bank)

    now = clock.now()
    found = [
        str(usd(queries.rate_as_of(now - timedelta(days=days))).mid) for days in (9, 8, 7, 3, 2, 0)
    ]

    assert found == ["3.80", "3.80", "3.86", "3.86", "3.95", "3.95"]
    with pytest.raises(RatesUnavailable):
        queries.rate_as_of(now - timedelta(days=10))


@pytest.mark.parametrize(("days", "stale"), [(0, False), (4, False), (6, True)])
def test_rates_are_stale_so_many_hours_after_their_day(
    bank: StubBank, days: int, stale: bool
) -> None:
    bank.gives(A=table("A", TODAY - timedelta(days=days), USD="3.95"))

    assert synced(bank).stale is stale


def test_what_the_bank_said_is_not_logged(
    open_bank: StubBank, caplog: pytest.LogCaptureFixture
) -> None:
    open_bank.answers["A"] = says(b"my secret is 42")
    with pytest.raises(BadRates):
        operations.sync_now(open_bank.url, accept=False)

    assert len(complaints(caplog)) == 1
    assert "secret" not in caplog.text
    assert "127.0.0.1" not in caplog.text
