"""Endpoints that take several alerts in a message get few messages, and each alert once."""

import json
import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.db.models import F
from standardwebhooks.webhooks import Webhook

from accounts.models import User
from analytics.alerts import deliveries, tasks
from analytics.alerts.models import MAX_ALERTS, Alert, Delivery, WebhookEndpoint
from tests.alerts import check_all
from tests.client import ApiClient
from tests.factories import StaffFactory, UserFactory
from tests.imports import csv, imported
from tests.races import wait_until
from tests.receiver import Receiver
from tests.staff import Desk
from tests.webhooks import deliver, make_due, raise_alerts, statuses
from tests.worker import running_worker

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loopback")]


class Moody(Receiver):
    """Answers an error to about a half of what it gets, which it may have stored nevertheless."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance, self.taken = random.Random(seed), list[str]()

    def answers(self) -> int:
        status = self.chance.choice([204, 500])
        if status == 204:
            self.taken.append(self.received[-1][1])
        return status


@pytest.fixture
def batching(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    endpoint.max_alerts = 100
    endpoint.save()
    return endpoint


@pytest.fixture
def other(loopback: None) -> Iterator[Receiver]:
    """Of an endpoint that takes one alert in a message."""
    with Receiver().open() as other:
        WebhookEndpoint.objects.create(url=other.url)
        yield other


def thousand_rows() -> bytes:
    """Three of ten withdraw more than 100; what precedes them raises nothing else."""
    times = [f"2026-01-{1 + n // 48:02}T{n // 2 % 24:02}:{n % 2 * 3}0:00Z" for n in range(1_000)]
    kinds = ["101,debit" if n % 10 in {0, 3, 6} else "1,credit" for n in range(1_000)]
    rows = map(",".join, zip(times, kinds, strict=True))
    return csv(*rows)


def alerts_in(receiver: Receiver | list[str]) -> list[str]:
    """The ids of the alerts in all messages, in the order in which they came."""
    bodies = receiver if isinstance(receiver, list) else [body for _, body in receiver.received]
    data = [json.loads(body)["data"] for body in bodies]
    return [alert["id"] for each in data for alert in each.get("alerts", [each])]


def raised() -> list[str]:
    rows = Alert.objects.order_by("user_id", "time", "id").values_list("id", flat=True)
    return [str(id_) for id_ in rows]


@pytest.mark.django_db(transaction=True)
def test_the_alerts_of_an_import_arrive_as_few_messages_in_order(
    ada: ApiClient, batching: WebhookEndpoint, receiver: Receiver, other: Receiver
) -> None:
    imported(ada, thousand_rows())
    assert ada.user
    check_all(ada.user)

    assert deliver() == 3 + 300

    assert (len(raised()), len(receiver.received)) == (300, 3)
    assert alerts_in(receiver) == alerts_in(other) == raised()
    for headers, body in receiver.received:
        Webhook(batching.secret).verify(body, headers)
    message = json.loads(receiver.received[0][1])
    assert (message.keys(), message["type"]) == ({"type", "timestamp", "data"}, "alerts.raised")
    # Each alert is what another endpoint gets as a message of its own.
    messages = [json.loads(body)["data"]["alerts"] for _, body in receiver.received]
    alone = [json.loads(body) for _, body in other.received]
    assert [alert for each in messages for alert in each] == [each["data"] for each in alone]
    assert {each["type"] for each in alone} == {"alert.raised"}


@pytest.mark.parametrize("seed", range(10))
def test_failing_at_any_message_loses_none_and_repeats_only_what_failed(
    user: User, endpoint: WebhookEndpoint, seed: int
) -> None:
    with Moody(seed).open() as moody:
        most = moody.chance.randint(2, 9)
        WebhookEndpoint.objects.update(url=moody.url, max_alerts=most)
        raise_alerts(user, 20)
        while "pending" in statuses(user):
            deliver()
            make_due(user)

    assert sorted(alerts_in(moody.taken)) == raised()
    sent: dict[str, set[str]] = {}
    for headers, body in moody.received:
        sent.setdefault(headers["webhook-id"], set()).add(body)
    assert [len(bodies) for bodies in sent.values()] == [1] * -(-20 // most)


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_while_it_sends_a_message_loses_none(
    ada: ApiClient, batching: WebhookEndpoint, receiver: Receiver
) -> None:
    receiver.hangs = True
    assert ada.user
    imported(ada, thousand_rows())
    with running_worker() as worker:
        wait_until(lambda: len(receiver.received) == 1)
        worker.kill()
        receiver.hangs = False
        Delivery.objects.update(leased_until=F("created_at"))
        worker.start()
        tasks.sweep_deliveries.delay()
        wait_until(lambda: statuses(ada.user) == ["delivered"] * 3)  # type: ignore[arg-type]

    repeated = receiver.received[0]
    assert [headers["webhook-id"] for headers, _ in receiver.received].count(
        repeated[0]["webhook-id"]
    ) == 2
    assert sorted(alerts_in([body for _, body in receiver.received[1:]])) == sorted(raised())


def test_a_message_is_of_one_user(batching: WebhookEndpoint, receiver: Receiver) -> None:
    users = UserFactory.create_batch(3)
    owners = {alert.pk: alert.user_id for user in users for alert in raise_alerts(user, 2)}
    Delivery.objects.all().delete()

    # As if they had been raised by turns.
    by_turns = sorted(owners.items(), key=lambda item: item[0].int % 7)
    deliveries.enqueue(dict(by_turns), {batching.pk: 100})
    deliver()

    assert len(receiver.received) == 3
    for _, body in receiver.received:
        assert len({alert["user_id"] for alert in json.loads(body)["data"]["alerts"]}) == 1
    assert sorted(alerts_in(receiver)) == sorted(map(str, owners))


@pytest.mark.parametrize(("before", "after"), [*pairwise([1, 100, 1])])
def test_a_message_stays_what_it_was_when_its_endpoint_is_changed(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver, before: int, after: int
) -> None:
    receiver.status = 500
    WebhookEndpoint.objects.update(max_alerts=before)
    raise_alerts(user)
    deliver()

    WebhookEndpoint.objects.update(max_alerts=after)
    make_due(user)
    deliver()

    (first, second) = [body for _, body in receiver.received]
    assert first == second
    assert json.loads(first)["type"] == ("alert.raised" if before == 1 else "alerts.raised")


def test_staff_say_how_many_alerts_an_endpoint_takes(batching: WebhookEndpoint, user: User) -> None:
    root = Desk(StaffFactory.create())
    page = f"alerts/webhookendpoint/{batching.pk}/change/"
    form = {"url": batching.url, "enabled": "on"}
    for wrong in ("0", "101", "-1", "x", ""):
        assert root.post(page, **form, max_alerts=wrong).status_code == 200
    assert root.post(page, **form, max_alerts="7").status_code == 302
    assert WebhookEndpoint.objects.get().max_alerts == 7

    raise_alerts(user, 5)
    assert '<td class="field-alerts">5</td>' in root.text("alerts/delivery/")


@pytest.mark.parametrize("most", [0, MAX_ALERTS + 1])
def test_the_database_refuses_a_number_that_is_out_of_bounds(
    endpoint: WebhookEndpoint, most: int
) -> None:
    with pytest.raises(IntegrityError):
        WebhookEndpoint.objects.update(max_alerts=most)


def asked(sql: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()


@pytest.mark.django_db(transaction=True)
def test_the_migration_rewrites_no_table_and_earlier_releases_can_write_on(
    user: User, endpoint: WebhookEndpoint, receiver: Receiver
) -> None:
    raise_alerts(user, 2)
    files = "SELECT pg_relation_filenode('alerts_delivery'), pg_relation_filenode('alerts_alert')"
    call_command("migrate", "alerts", "0002", verbosity=0)
    before = asked(files)

    call_command("migrate", "alerts", verbosity=0)

    assert asked(files) == before
    earlier = "INSERT INTO alerts_webhookendpoint (url, description, enabled, secret, created_at)"
    one = asked(f"{earlier} VALUES ('', '', false, '', now()) RETURNING max_alerts")
    assert one == (1,)
    assert deliver() == 2
    assert sorted(alerts_in(receiver)) == sorted(raised())
