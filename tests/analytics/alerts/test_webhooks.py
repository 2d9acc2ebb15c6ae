"""Every alert eventually reaches every endpoint at least once, signed, under one id."""

import json
from typing import Any

import pytest
from django_redis import get_redis_connection
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from accounts.models import User
from analytics.alerts import deliveries, operations, turns
from analytics.alerts.models import Alert, Delivery, DeliveryAttempt, WebhookEndpoint
from analytics.alerts.signing import new_secret
from fido.lib.outbound import calls
from tests.alerts import check_all, recorded, stream
from tests.factories import StaffFactory, UserFactory
from tests.gauges import counted
from tests.queue import waiting
from tests.receiver import Receiver
from tests.staff import Desk, clerk
from tests.webhooks import deliver, make_due, raise_alerts, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback")]
SENT = "alerts/delivery/"


def test_an_alert_is_sent_signed_and_names_nobody(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    (alert,) = raise_alerts(user)

    assert deliver() == 1

    ((headers, body),) = receiver.received
    Webhook(endpoint.secret).verify(body, headers)
    (delivery,) = Delivery.objects.filter(user=user)
    assert (headers["webhook-id"], headers["Content-Type"]) == (
        str(delivery.pk),
        "application/json",
    )
    created = alert.created_at.isoformat().replace("+00:00", "Z")
    assert json.loads(body) == {
        "type": "alert.raised",
        "timestamp": created,
        "data": {
            "id": str(alert.pk),
            "code": 1100,
            "user_id": user.pk,
            "transaction_id": str(alert.transaction_id),
            "time": "2026-01-31T12:00:00Z",
            "created_at": created,
        },
    }
    assert "Lovelace" not in body
    assert (statuses(user), deliver()) == (["delivered"], 0)


@pytest.mark.django_db(transaction=True)
def test_alerts_checked_together_are_delivered_for_each_user(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    WebhookEndpoint.objects.create(url=receiver.url, enabled=False)
    users = UserFactory.create_batch(3)
    for user in users:
        recorded(user, stream("-101@0")[0])
    get_redis_connection().flushdb()

    assert not turns.check_everybody(seconds=60)

    assert waiting("webhooks") == 1
    assert deliver() == 3
    alerts = Alert.objects.order_by("user_id").values_list("user_id", "id")
    assert sorted(Delivery.objects.values_list("user_id", "alert_id")) == list(alerts)
    assert {row.endpoint_id for row in Delivery.objects.all()} == {endpoint.pk}


def test_a_signature_of_another_secret_or_body_is_not_believed(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user)
    deliver()
    ((headers, body),) = receiver.received

    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(endpoint.secret).verify(body.replace("1100", "1101"), headers)


def test_during_a_rotation_either_secret_is_right_and_afterwards_the_new_one(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    old = endpoint.secret
    deliveries.rotate(endpoint)
    new = WebhookEndpoint.objects.get().secret
    raise_alerts(user)
    deliver()
    for secret in (old, new):
        Webhook(secret).verify(receiver.received[0][1], receiver.received[0][0])

    deliveries.forget_previous(WebhookEndpoint.objects.get())
    deliveries.redeliver(Delivery.objects.all())
    deliver()

    headers, body = receiver.received[1]
    Webhook(new).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(body, headers)


BAD_WAYS = ["down", "slow", "redirecting", "500", "404"]


@pytest.mark.parametrize("way", BAD_WAYS)
def test_a_receiver_that_fails_for_an_hour_gets_each_alert_in_the_end_under_one_id(
    user: User,
    endpoint: WebhookEndpoint,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    if way == "down":
        WebhookEndpoint.objects.update(url="http://127.0.0.1:1/")
    receiver.hangs = way == "slow"
    receiver.status = {"redirecting": 302, "500": 500, "404": 404}.get(way, 204)
    receiver.headers = {"Location": receiver.url} if way == "redirecting" else {}
    raise_alerts(user, 3)
    with monkeypatch.context() as patch:
        patch.setattr(calls, "DEADLINE_SECONDS", 0.2)
        for _ in range(4):
            assert deliver() == 3
            assert deliver() == 0  # not retried at once
            make_due(user, hours=0.25)
    before = len(receiver.received)

    WebhookEndpoint.objects.update(url=receiver.url)
    receiver.hangs, receiver.status = False, 204
    assert deliver() == 3

    assert statuses(user) == ["delivered"] * 3
    sent: dict[str, set[str]] = {}
    for headers, body in receiver.received:
        sent.setdefault(json.loads(body)["data"]["id"], set()).add(headers["webhook-id"])
    assert {len(ids) for ids in sent.values()} == {1}
    assert set(sent) == {str(pk) for pk in Alert.objects.values_list("pk", flat=True)}
    assert before in {0, 12}
    assert DeliveryAttempt.objects.filter(user=user, status=204).count() == 3
    assert DeliveryAttempt.objects.filter(user=user).count() == 15


def test_pauses_grow_and_are_apart_and_end_after_three_days(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 500
    raise_alerts(user)
    tries = 0
    while deliver():
        tries += 1
        row = Delivery.objects.get()
        make_due(user, hours=(row.due_at - row.created_at).total_seconds() / 3600)

    assert (statuses(user), 15 <= tries <= 30) == (["failed"], True)
    pauses = [deliveries.delay(n).total_seconds() for n in range(12)]
    for n, pause in enumerate(pauses):
        middle = min(5 * 3**n, 6 * 3600)
        assert 0.75 * middle <= pause <= 1.25 * middle
    assert len({deliveries.delay(3) for _ in range(10)}) > 1


def test_what_failed_is_sent_again_by_hand(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.status = 500
    raise_alerts(user)
    make_due(user, hours=72)
    deliver()
    assert statuses(user) == ["failed"]
    receiver.status = 200
    root = Desk(StaffFactory.create())
    row = Delivery.objects.get()

    page = root.text(f"{SENT}{row.pk}/change/")
    answer = root.post(SENT, action="redeliver", _selected_action=str(row.pk))

    assert "<td>500<td>" in page
    assert answer.status_code == 302
    assert (deliver(), statuses(user)) == (1, ["delivered"])
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    seen = clerk("alerts.view_delivery").text(SENT)
    assert "Send these again" not in seen


def test_without_an_endpoint_that_is_on_nothing_is_sent(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user)
    WebhookEndpoint.objects.update(enabled=False)
    assert deliver() == 0
    raise_alerts(UserFactory.create())
    assert Delivery.objects.count() == 1

    WebhookEndpoint.objects.update(enabled=True)
    assert deliver() == 1


def test_attempts_are_counted_by_endpoint_and_outcome(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    def counts() -> dict[str, float | None]:
        outcomes = ("delivered", "pending", "failed")
        own = {"endpoint": str(endpoint.pk)}
        return {each: counted("webhook_attempts", **own, outcome=each) for each in outcomes}

    before = {outcome: value or 0 for outcome, value in counts().items()}
    raise_alerts(user, 2)
    receiver.status = 500
    deliver()
    assert counts() == before | {"pending": before["pending"] + 2}

    make_due(user, hours=73)
    deliver()
    receiver.status = 204
    raise_alerts(user)
    deliver()

    assert counts() == {outcome: value + 2 for outcome, value in before.items()} | {
        "delivered": before["delivered"] + 1
    }


def test_an_alert_that_is_rolled_back_is_not_sent(
    user: User, endpoint: WebhookEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded(user, stream("-101@0")[0])
    store = operations.store

    def broken(alerts: Any) -> None:
        store(alerts)
        raise RuntimeError

    monkeypatch.setattr(operations, "store", broken)
    with pytest.raises(RuntimeError):
        check_all(user)
    assert not Alert.objects.exists()
    assert not Delivery.objects.exists()


def test_a_name_that_leads_to_us_is_refused_and_the_attempt_says_so(user: User) -> None:
    WebhookEndpoint.objects.create(url="https://169.254.169.254/latest")
    raise_alerts(user)

    deliver()

    assert DeliveryAttempt.objects.get().error == "address-not-public"
    assert statuses(user) == ["pending"]
