"""Who sends what is due, and in which order: workers, lanes, leases and connections."""

import json
from math import inf

import pytest
from django.db.models import F
from django_redis import get_redis_connection

from accounts.models import User
from analytics.alerts import deliveries, queries, sending, tasks
from analytics.alerts.models import Alert, Delivery, DeliveryAttempt, WebhookEndpoint
from fido.lib.outbound import calls
from fido.lib.outbound.calls import Caller
from tests.client import ApiClient
from tests.factories import UserFactory
from tests.queue import all_taken, waiting
from tests.races import at_once, wait_until
from tests.receiver import Receiver
from tests.webhooks import deliver, raise_alerts, statuses
from tests.worker import running_worker

pytestmark = pytest.mark.django_db


def test_a_worker_that_died_while_it_sent_is_taken_over_from_when_its_lease_lapses(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user)
    row = Delivery.objects.get()
    (dead,) = deliveries.claim([(user.pk, row.pk)])
    (message,) = deliveries.messages([dead], endpoint)
    with Caller(endpoint.url, allow_loopback=True) as caller:
        deliveries.attempt(message, caller)  # it never records the result
    assert deliver() == 0

    Delivery.objects.update(leased_until=F("created_at"))
    assert deliver() == 1

    assert statuses(user) == ["delivered"]
    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    # If it was only slow, it can no longer record a result.
    assert deliveries.conclude([(dead, deliveries.Outcome(500, "", 1))]) == 0
    assert (statuses(user), DeliveryAttempt.objects.count()) == (["delivered"], 1)


@pytest.mark.django_db(transaction=True)
def test_of_workers_at_once_one_sends(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user, 5)

    at_once(*[deliver] * 4)

    assert len(receiver.received) == 5
    assert statuses(user) == ["delivered"] * 5


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_while_it_sends_loses_nothing(
    ada: ApiClient, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.hangs = True
    assert ada.user
    with running_worker() as worker:
        raise_alerts(ada.user)
        wait_until(lambda: len(receiver.received) == 1)
        worker.kill()
        receiver.hangs = False
        Delivery.objects.update(leased_until=F("created_at"))
        worker.start()
        tasks.sweep_deliveries.delay()
        wait_until(lambda: statuses(ada.user) == ["delivered"])  # type: ignore[arg-type]

    assert len({headers["webhook-id"] for headers, _ in receiver.received}) == 1
    assert len(receiver.received) == 2


@pytest.mark.django_db(transaction=True)
def test_a_job_that_finds_another_one_sending_gives_its_thread_back(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user)
    get_redis_connection().flushdb()

    with all_taken(tasks.SENDING):
        tasks.deliver()
    assert (receiver.received, statuses(user), waiting("webhooks")) == ([], ["pending"], 1)

    tasks.deliver()
    assert statuses(user) == ["delivered"]


@pytest.mark.django_db(transaction=True)
def test_a_job_that_was_lost_keeps_no_webhook_back(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user)
    get_redis_connection().delete("webhooks")  # with its worker; its mark is still there
    raise_alerts(user)
    assert waiting("webhooks") == 0

    with running_worker():
        tasks.sweep_deliveries.delay()
        wait_until(lambda: statuses(user) == ["delivered"] * 2)


def test_what_was_not_sent_because_a_receiver_hangs_is_free_for_the_next_job(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.hangs = True
    monkeypatch.setattr(calls, "DEADLINE_SECONDS", 0.2)
    raise_alerts(user, 3)
    (lane,) = queries.due_lanes()

    assert sending.send_lane(lane, inf) == 1

    assert len(queries.due_deliveries(lane)) == 2
    assert not Delivery.objects.exclude(lease=None).exists()


def test_many_webhooks_to_one_receiver_take_one_connection(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user, 50)

    assert deliver() == 50

    assert (len(receiver.received), receiver.connections) == (50, 1)
    assert DeliveryAttempt.objects.filter(user=user, status=204).count() == 50


@pytest.mark.django_db(transaction=True)
def test_one_receiver_that_hangs_delays_no_other(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.hangs = True
    with Receiver().open() as other:
        WebhookEndpoint.objects.create(url=other.url)
        raise_alerts(user, 20)

        with running_worker() as worker:
            wait_until(lambda: len(other.received) == 20)
            assert len(receiver.received) <= 1
            worker.kill()  # it would wait for the other one


@pytest.mark.django_db(transaction=True)
def test_one_users_webhooks_come_in_the_order_of_their_alerts(
    endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    users = UserFactory.create_batch(6)
    for user in users:
        raise_alerts(user, 8)

    assert not sending.send_due(seconds=inf)

    sent = [json.loads(body)["data"] for _, body in receiver.received]
    for user in users:
        raised = Alert.objects.filter(user=user).order_by("id").values_list("id", flat=True)
        mine = [data["id"] for data in sent if data["user_id"] == user.pk]
        assert mine == [str(id_) for id_ in raised]
