"""What `/metrics` says of standing checks, whichever process is asked."""

import re

import pytest
from django.db.models import F
from django.test import Client, override_settings

from accounts.models import User
from analytics.checks import operations
from analytics.checks.models import CheckedRange
from analytics.models import DailyTotals
from fido.lib.values.clock import ONE_DAY

pytestmark = pytest.mark.django_db
TOKEN = "a-token-for-prometheus"


def asked() -> dict[str, float]:
    """What concerns the checks."""
    with override_settings(METRICS_TOKEN=TOKEN):
        answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    lines = re.findall(r"^(fido_(?:diff|oldest)\S+) (\S+)$", answer.content.decode(), re.MULTILINE)
    return {name: float(value) for name, value in lines}


def test_before_the_first_round_nothing_is_said_of_its_age() -> None:
    kinds = ("totals", "balances", "unchecked")

    assert asked() == {f'fido_differences{{kind="{kind}"}}': 0 for kind in kinds}


def test_open_differences_and_the_age_of_the_oldest_check(user: User) -> None:
    DailyTotals.objects.update(count=F("count") + 1)
    operations.run_round(seconds=60)
    CheckedRange.objects.update(checked_at=F("checked_at") - ONE_DAY)

    samples = asked()

    assert samples['fido_differences{kind="totals"}'] == 1
    assert samples['fido_differences{kind="balances"}'] == 0
    assert samples["fido_oldest_check_seconds"] >= ONE_DAY.total_seconds()
