"""Staff register the endpoints of webhooks, and see and change their secrets."""

from typing import Any

import pytest

from analytics.alerts.models import WebhookEndpoint
from tests.factories import StaffFactory
from tests.staff import Desk, clerk, stored

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback")]
ENDPOINTS = "alerts/webhookendpoint/"


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(StaffFactory.create(username="root"))


def test_staff_register_an_endpoint_and_see_its_secret_with_the_permission(root: Desk) -> None:
    form = {"url": "https://hook.example.org/fido", "description": "Ops", "enabled": "on"}
    assert root.post(f"{ENDPOINTS}add/", **form, max_alerts="1").status_code == 302
    row = WebhookEndpoint.objects.get()
    page = f"{ENDPOINTS}{row.pk}/change/"

    assert row.secret.startswith("whsec_")
    assert row.secret in root.text(page).replace("&#x2B;", "+")
    seen = clerk("alerts.view_webhookendpoint").text(page)
    assert "whsec_" not in seen
    changed = clerk("alerts.view_webhookendpoint", "alerts.change_webhookendpoint").text(page)
    assert "whsec_" not in changed
    assert "whsec_" not in root.text(ENDPOINTS)


@pytest.mark.parametrize(
    "url",
    ["http://hook.example.org/", "hook.example.org", "https://a:b@example.org/", "https://"],
)
def test_an_address_that_is_none_is_refused_in_the_form(
    root: Desk, url: str, settings: Any
) -> None:
    settings.WEBHOOK_ALLOW_LOOPBACK = False

    answer = root.post(f"{ENDPOINTS}add/", url=url, enabled="on", max_alerts="1")

    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    assert not WebhookEndpoint.objects.exists()


def test_staff_rotate_secrets(root: Desk, endpoint: WebhookEndpoint) -> None:
    first = endpoint.secret
    for action, count in (("rotate", 2), ("forget_previous", 1)):
        root.post(ENDPOINTS, action=action, _selected_action=str(endpoint.pk))
        page = root.text(f"{ENDPOINTS}{endpoint.pk}/change/")
        assert page.count("whsec_") == count
    assert WebhookEndpoint.objects.get().secret != first


def test_a_secret_is_not_in_clear_in_the_database(endpoint: WebhookEndpoint) -> None:
    assert endpoint.secret.encode() not in stored(endpoint, "secret")
