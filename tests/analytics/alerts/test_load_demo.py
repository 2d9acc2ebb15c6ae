"""The demonstration's command: it loads everything or nothing, and what people then find."""

from collections import Counter
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import User
from accounts.wallets.models import Balance
from analytics import operations as totals
from analytics.alerts.models import Alert, Delivery, PendingCheck, Rule, WebhookEndpoint
from analytics.models import DailyTotals
from fido.lib.values import clock
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.imports import work
from transactions import demo, operations
from transactions.imports.models import Import
from transactions.models import Transaction
from transactions.operations import Draft

UNTIL = datetime(2026, 6, 15, 18, tzinfo=UTC)
PASSWORD = "a password of no dictionary"


@pytest.fixture(scope="module")
def histories() -> dict[str, list[Draft]]:
    return {person.username: demo.history(person, UNTIL) for person in demo.PEOPLE}


@pytest.fixture(autouse=True)
def _uploads(settings: Any, tmp_path: Path) -> None:
    settings.IMPORTS_DIR = str(tmp_path / "imports")


@pytest.fixture
def password(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("FIDO_DEMO_PASSWORD", PASSWORD)
    return PASSWORD


@pytest.fixture
def a_month_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests where one month is as good as two years."""
    monkeypatch.setattr(demo, "DAYS", 30)


def load_demo(*options: str, until: datetime = UNTIL) -> str:
    out = StringIO()
    call_command("load_demo", *options, until=until, stdout=out)
    return out.getvalue().strip()


def as_draft(row: Transaction) -> Draft:
    """Without the wallet, whose id differs from load to load."""
    draft = Draft(**{field.name: getattr(row, field.name) for field in fields(Draft)})
    return replace(draft, wallet_id=None)


@pytest.mark.django_db(transaction=True)
def test_it_records_just_what_was_drafted_and_totals_are_exact(
    password: str, histories: dict[str, list[Draft]]
) -> None:
    said = load_demo()

    count = sum(map(len, histories.values()))
    assert said == f"5 people, {count:,} transactions. Log in as ada or admin."
    for name, drafts in histories.items():
        user = User.objects.get(username=name)
        rows = Transaction.objects.filter(user=user)
        # Their ids grow in the order in which they were recorded.
        assert [as_draft(row) for row in rows.order_by("id")] == drafts
        totals.fold([user.pk])
    assert sum(DailyTotals.objects.values_list("count", flat=True)) == count
    call_command("check_totals")


@pytest.mark.django_db
def test_everybody_logs_in_with_the_password_and_admin_is_staff(
    password: str, a_month_alone: None
) -> None:
    load_demo()

    users = {user.username: user for user in User.objects.all()}
    assert set(users) == {"ada", "grace", "alan", "emmy", "katherine", "admin"}
    assert all(user.check_password(password) for user in users.values())
    assert [name for name, user in users.items() if user.is_staff] == ["admin"]
    assert users["admin"].is_superuser
    assert (users["ada"].full_name, users["emmy"].currency) == ("Ada Lovelace", "EUR")


@pytest.mark.django_db
def test_where_there_is_a_user_it_does_nothing_and_says_so(password: str) -> None:
    UserFactory.create(username="somebody")

    assert load_demo() == "There are already users: nothing was loaded."
    assert [user.username for user in User.objects.all()] == ["somebody"]
    assert not Transaction.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("", "Set FIDO_DEMO_PASSWORD: it becomes the password of the demonstration's logins."),
        ("password", "FIDO_DEMO_PASSWORD is not acceptable: This password is too common."),
    ],
)
def test_without_a_good_password_it_loads_nothing(
    monkeypatch: pytest.MonkeyPatch, value: str, sentence: str
) -> None:
    monkeypatch.setenv("FIDO_DEMO_PASSWORD", value)

    with pytest.raises(CommandError) as refusal:
        load_demo()

    assert str(refusal.value) == sentence
    assert not User.objects.exists()


@pytest.mark.django_db
def test_where_it_was_not_asked_for_it_loads_nothing_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FIDO_DEMO_PASSWORD", "\n")

    assert load_demo("--if-asked-for") == "FIDO_DEMO_PASSWORD is not set: no demonstration."
    assert not User.objects.exists()


@pytest.mark.django_db
def test_its_password_may_be_in_a_file(
    a_month_alone: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FIDO_DEMO_PASSWORD")
    monkeypatch.setenv("FIDO_DEMO_PASSWORD_FILE", str(tmp_path / "password"))
    (tmp_path / "password").write_text("correct horse battery\n")

    load_demo("--if-asked-for")

    assert User.objects.get(username="ada").check_password("correct horse battery")


@pytest.mark.django_db(transaction=True)
def test_an_interrupted_load_leaves_nothing_half_done(
    password: str, a_month_alone: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_many, done = operations.record_many, 0

    def interrupted(**kwargs: Any) -> Any:
        nonlocal done
        done += 1
        if done > 2:
            raise KeyboardInterrupt
        return record_many(**kwargs)

    monkeypatch.setattr(operations, "record_many", interrupted)
    with pytest.raises(KeyboardInterrupt):
        load_demo()

    assert not User.objects.exists()
    assert not Transaction.objects.exists()
    assert not DailyTotals.objects.exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("days", [0, 75, 200])
def test_a_dozen_alerts_tell_a_story(password: str, days: int) -> None:
    load_demo(until=UNTIL + timedelta(days=days))

    raised = Counter(Alert.objects.values_list("user__username", "code"))
    assert raised == {
        ("ada", 1100): 1,
        ("alan", 600): 1,
        ("emmy", 123): 1,
        ("emmy", 1100): 2,
        ("grace", 1100): 1,
        ("katherine", 123): 1,
        ("katherine", 600): 4,
        ("katherine", 1100): 2,
    }
    assert not PendingCheck.objects.exists()


@pytest.mark.django_db
def test_the_contracts_rules_are_as_ever(password: str, a_month_alone: None) -> None:
    before = list(Rule.objects.values())

    load_demo()

    assert list(Rule.objects.filter(currency="").values()) == before
    assert {rule.code for rule in Rule.objects.filter(currency="")} == {1100, 30, 300, 123}
    ada = ApiClient(User.objects.get(username="ada"))
    event = {"user_id": ada.user_id, "time": 1_800_000_000, "type": "deposit", "amount": "200.01"}
    assert ada.post("/events", event).json()["alert_codes"] == [123]
    event |= {"type": "withdraw", "amount": "100.01", "time": 1_800_000_031}
    assert ada.post("/events", event).json()["alert_codes"] == [1100]


@pytest.mark.django_db
def test_nobody_lives_in_the_default_currency(histories: dict[str, list[Draft]]) -> None:
    currencies = {draft.currency for drafts in histories.values() for draft in drafts}

    assert currencies == {"GBP", "EUR", "CHF"}
    assert settings.DEFAULT_CURRENCY not in currencies


@pytest.mark.django_db(transaction=True)
def test_one_message_has_failed_and_nothing_is_ever_sent(password: str) -> None:
    load_demo()

    statuses = Counter(Delivery.objects.values_list("status", flat=True))
    assert statuses == {"delivered": Alert.objects.count() - 1, "failed": 1}
    endpoint = WebhookEndpoint.objects.get()
    assert (endpoint.enabled, endpoint.url) == (False, "https://cases.example.org/fido")


@pytest.mark.django_db(transaction=True)
def test_wallets_hold_what_was_moved_in_them(password: str, a_month_alone: None) -> None:
    load_demo()

    held = {(row.user.username, row.wallet.name, row.currency) for row in Balance.objects.all()}
    assert held == {
        ("ada", "savings", "GBP"),
        ("grace", "taxes", "EUR"),
        ("grace", "taxes", "CHF"),
        ("emmy", "till", "EUR"),
    }
    savings = Balance.objects.get(user__username="ada")
    assert savings.amount == Decimal("1450.00")
    call_command("reconcile_wallets")


@pytest.mark.django_db(transaction=True)
def test_a_worker_imports_a_statement(password: str, a_month_alone: None) -> None:
    load_demo()
    waiting = Import.objects.get()
    assert (waiting.status, waiting.user.username) == ("queued", "grace")

    done = work(str(waiting.pk), waiting.user_id)

    assert (done.status, done.rows_created, done.rows_refused) == ("done", 8, 2)
    assert {error["column"] for error in done.errors} == {"transaction_amount", "transaction_type"}


@pytest.mark.django_db(transaction=True)
def test_it_is_dated_up_to_today(password: str, a_month_alone: None) -> None:
    call_command("load_demo", stdout=StringIO())

    latest = Transaction.objects.latest("transaction_date").transaction_date
    assert timedelta(0) <= clock.now() - latest < timedelta(days=4)
