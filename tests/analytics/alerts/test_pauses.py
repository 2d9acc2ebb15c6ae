"""A receiver that fails again and again is left alone for a while, and takes nobody's time."""

import random
from datetime import timedelta
from math import inf
from typing import Any

import pytest
from django.db.models import F

from accounts.models import User
from analytics.alerts import pauses, queries, sending
from analytics.alerts.models import Alert, Delivery, DeliveryAttempt, Rule, WebhookEndpoint
from analytics.alerts.pauses import FAILURES
from analytics.alerts.queries import LANES
from fido.lib.outbound import calls
from fido.lib.values import clock
from fido.lib.values.ids import new_id
from tests.factories import StaffFactory, UserFactory
from tests.gauges import gauges
from tests.races import at_once
from tests.receiver import Receiver
from tests.staff import Desk
from tests.webhooks import deliver, raise_alerts, statuses

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback")]
PAGE = "alerts/webhookendpoint/"


def attempts(**which: Any) -> int:
    deliveries = Delivery.objects.filter(**which).values("id")
    return DeliveryAttempt.objects.filter(delivery__in=deliveries).count()


def end_pause() -> None:
    """As if its time had passed."""
    WebhookEndpoint.objects.exclude(next_try_at=None).update(next_try_at=F("created_at"))


def pause() -> timedelta:
    """How long the endpoint pauses after its last attempt, of which there was at least one."""
    next_try_at = WebhookEndpoint.objects.get().next_try_at
    latest = DeliveryAttempt.objects.order_by("at").last()
    assert next_try_at
    assert latest
    return next_try_at - latest.at


def test_after_some_failures_in_a_row_an_endpoint_is_tried_by_one_delivery_after_each_pause(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user, 20)
    receiver.status = 500

    assert deliver() == FAILURES
    for middle in (5, 15, 45, 135, 405, 600, 600):
        # Some milliseconds pass between the attempt's record and the pause's.
        assert min(0.75 * middle, 600) <= pause().total_seconds() <= min(1.25 * middle, 600) + 5
        assert deliver() == 0
        end_pause()
        assert deliver() == 1

    receiver.status = 204
    end_pause()
    # The retries of those that failed are not due yet.
    assert deliver() == 20 - FAILURES - 7
    assert WebhookEndpoint.objects.get().failures == 0
    Delivery.objects.filter(status="pending").update(due_at=F("created_at"))
    deliver()
    assert statuses(user) == ["delivered"] * 20


def test_failures_that_are_not_in_a_row_are_no_reason_to_pause(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user, 3 * FAILURES)
    (lane,) = queries.due_lanes()
    for _ in range(3):
        receiver.status = 500
        for _ in range(FAILURES - 1):
            assert sending.send_lane(lane, inf) == 1
        receiver.status = 204
        assert sending.send_lane(lane, 0) == 0
        row = Delivery.objects.filter(status="pending", attempts=0).first()
        assert row
        Delivery.objects.exclude(pk=row.pk).filter(status="pending").update(due_at=F("gives_up_at"))
        assert sending.send_lane(lane, inf) == 1
        Delivery.objects.filter(status="pending", attempts=0).update(due_at=F("created_at"))

    assert WebhookEndpoint.objects.get().next_try_at is None


def test_a_success_after_a_pause_begins_the_count_anew(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    raise_alerts(user, 20)
    answers = iter([*[500] * FAILURES, 204, *[500] * FAILURES])
    monkeypatch.setattr(receiver, "answers", lambda: next(answers))
    assert deliver() == FAILURES
    end_pause()

    assert deliver() == 1 + FAILURES
    assert pause() < timedelta(seconds=7 + 5)


@pytest.mark.django_db(transaction=True)
def test_of_workers_at_once_one_tries(endpoint: WebhookEndpoint, receiver: Receiver) -> None:
    for user in UserFactory.create_batch(LANES):
        raise_alerts(user, 5)
    receiver.status = 500
    deliver()
    before = len(receiver.received)
    end_pause()
    lanes = queries.due_lanes()
    assert len(lanes) == LANES

    made = at_once(*[lambda lane=lane: sending.send_lane(lane, inf) for lane in lanes * 2])

    assert (sum(made), len(receiver.received)) == (1, before + 1)


def test_a_pause_is_not_prolonged_by_what_was_under_way_when_it_began(
    endpoint: WebhookEndpoint,
) -> None:
    for _ in range(FAILURES):
        pauses.note(endpoint, is_delivered=False)
    began = WebhookEndpoint.objects.get()
    assert began.next_try_at

    for _ in range(3):
        pauses.note(endpoint, is_delivered=False)

    row = WebhookEndpoint.objects.get()
    assert (row.failures, row.next_try_at) == (FAILURES, began.next_try_at)

    pauses.note(endpoint, is_delivered=True)
    row = WebhookEndpoint.objects.get()
    assert (row.failures, row.next_try_at) == (0, None)


def test_a_worker_that_dies_while_it_tries_leaves_that_to_another_one(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user, FAILURES + 1)
    receiver.status = 500
    deliver()
    end_pause()
    assert pauses.may_send(WebhookEndpoint.objects.get())  # it never notes the result

    assert not pauses.may_send(WebhookEndpoint.objects.get())
    assert deliver() == 0
    end_pause()
    assert deliver() == 1


def test_staff_see_the_next_try_and_have_it_at_once(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    root = Desk(StaffFactory.create())
    assert '<td class="field-next_try">at once</td>' in root.text(PAGE)
    raise_alerts(user, FAILURES)
    receiver.status = 500
    deliver()
    next_try_at = WebhookEndpoint.objects.get().next_try_at
    said = f"{next_try_at:%Y-%m-%d %H:%M:%S} UTC, after a pause"
    assert said in root.text(PAGE)
    assert said in root.text(f"{PAGE}{endpoint.pk}/change/")
    receiver.status = 204

    row = Delivery.objects.order_by("id").first()
    assert row
    root.post("alerts/delivery/", action="redeliver", _selected_action=str(row.pk))
    assert deliver() == 1

    WebhookEndpoint.objects.update(failures=FAILURES, next_try_at=F("created_at") + timedelta(9))
    form = {"url": receiver.url, "enabled": "on", "max_alerts": "1"}
    assert root.post(f"{PAGE}{endpoint.pk}/change/", **form).status_code == 302
    assert WebhookEndpoint.objects.get().next_try_at is None


def test_while_an_endpoint_pauses_nothing_is_overdue(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    name = f"pending_deliveries_overdue_seconds {endpoint.pk}"
    raise_alerts(user, FAILURES + 1)
    Delivery.objects.update(due_at=F("created_at") - timedelta(hours=1))
    assert gauges()[name] > 3000
    receiver.status = 500
    deliver()

    assert gauges()[name] == 0
    WebhookEndpoint.objects.update(next_try_at=clock.now() - timedelta(minutes=10))
    assert 500 < gauges()[name] < 3000
    Delivery.objects.update(status="delivered")
    assert gauges()[name] == 0


DEAD = 10


def put_in_the_outbox(endpoints: list[WebhookEndpoint], count: int) -> None:
    """So many deliveries to each, in all lanes."""
    rule = Rule.objects.all()[0]
    users = UserFactory.create_batch(2 * LANES)
    now = clock.now()
    alerts = Alert.objects.bulk_create(
        Alert(
            user=users[n % len(users)],
            rule=rule,
            code=rule.code,
            transaction_id=new_id(),
            time=now,
        )
        for n in range(count)
    )
    Delivery.objects.bulk_create(
        Delivery(user=alert.user, alert=alert, endpoint=endpoint, gives_up_at=now + timedelta(3))
        for endpoint in endpoints
        for alert in alerts
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("way", ["hangs", "500"])
def test_many_dead_receivers_hardly_delay_one_that_works(
    endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    # A job has time for as many attempts in vain as otherwise, if each takes its 10 seconds.
    monkeypatch.setattr(calls, "DEADLINE_SECONDS", 0.2)
    monkeypatch.setattr(sending, "LOOK_SECONDS", 0.05)
    with Receiver().open() as dead:
        dead.hangs, dead.status = way == "hangs", 500
        away = [WebhookEndpoint.objects.create(url=dead.url) for _ in range(DEAD)]
        put_in_the_outbox([*away, endpoint], 1_000)
        working = Delivery.objects.filter(endpoint=endpoint)
        while working.filter(status="pending").exists():
            sending.send_due(seconds=0.4)

    assert len(receiver.received) == 1_000
    # Of each five before its pause, up to three that were under way then, and a few after pauses.
    assert attempts(endpoint__in=away) <= DEAD * (5 + 3 + 4)
    assert Delivery.objects.filter(status="pending").count() == DEAD * 1_000


@pytest.mark.django_db(transaction=True)
def test_slow_receivers_that_could_take_all_threads_take_turns_with_others(
    endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "SHARE_SECONDS", 0.1)
    got_before = list[int]()

    with Receiver().open() as slow:
        others = [WebhookEndpoint.objects.create(url=slow.url) for _ in range(3)]
        monkeypatch.setattr(slow, "answers", lambda: 404 if slow.finished.wait(0.05) else 204)
        monkeypatch.setattr(receiver, "answers", lambda: _noted(got_before, slow))
        # By chance all slow ones come first.
        monkeypatch.setattr(random, "shuffle", lambda lanes: lanes.sort(reverse=True))
        put_in_the_outbox([*others, endpoint], 200)
        assert not sending.send_due(seconds=inf)

    assert (len(got_before), len(slow.received)) == (200, 600)
    assert got_before[-1] < 300


def _noted(got_before: list[int], slow: Receiver) -> int:
    got_before.append(len(slow.received))
    return 204
