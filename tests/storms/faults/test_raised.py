"""The judgement of alerts finds each kind of violation, in data made by hand."""

from dataclasses import replace
from uuid import UUID

import pytest

from fido.lib.values.ids import new_id
from tests.alerts import stream
from tests.storms.faults.raised import Alerts, violations

USER = 7
EVENTS = stream("+90@1 -150@2 +1@50")
OTHERS = stream("-100.01@1 -100@2 +500@3")
SENT = [(new_id(), EVENTS[1].id, 1100), (new_id(), OTHERS[0].id, 1100)]
GOOD = Alerts(
    events={USER: EVENTS},
    others=OTHERS,
    stored=SENT,
    received=[(f"webhook {n}", str(alert)) for n, (alert, _, _) in enumerate(SENT)],
    told={EVENTS[1].id: [1100]},
)


def found(alerts: Alerts, *, is_due: bool = True) -> list[str]:
    return [text.partition(":")[0] for text in violations(alerts, lambda id_: is_due)]


def test_nothing_is_wrong_if_all_is_there() -> None:
    assert found(GOOD) == []


@pytest.mark.parametrize("number", [0, 1])
def test_a_lost_alert_is_found(number: int) -> None:
    kept = 1 - number
    lost = replace(GOOD, stored=[SENT[kept]], received=[GOOD.received[kept]])

    assert found(lost) == ["lost"]


def test_what_other_routes_recorded_has_its_time() -> None:
    assert found(replace(GOOD, stored=SENT[:1], received=[]), is_due=False) == []


def test_an_alert_of_an_event_is_stored_with_it() -> None:
    assert found(replace(GOOD, stored=SENT[1:], received=[]), is_due=False) == ["lost"]


def test_a_doubled_alert_is_found() -> None:
    doubled = [*SENT, (new_id(), *SENT[0][1:])]

    assert found(replace(GOOD, stored=doubled), is_due=False) == ["doubled"]


@pytest.mark.parametrize("transaction", [EVENTS[0].id, OTHERS[1].id])
def test_an_alert_without_reason_is_found(transaction: UUID) -> None:
    more = [*SENT, (new_id(), transaction, 1100)]

    assert found(replace(GOOD, stored=more), is_due=False) == ["without reason"]


def test_an_event_that_was_told_other_codes_is_found() -> None:
    assert found(replace(GOOD, told={EVENTS[0].id: [30]})) == ["told wrong"]


def test_an_alert_that_did_not_arrive_is_found() -> None:
    assert found(replace(GOOD, received=GOOD.received[:1])) == ["not delivered"]


def test_a_message_may_arrive_twice_but_under_one_id() -> None:
    again = [*GOOD.received, GOOD.received[0]]
    assert found(replace(GOOD, received=again)) == []

    other = [*GOOD.received, ("another", GOOD.received[0][1])]
    assert found(replace(GOOD, received=other)) == ["delivered under several ids"]


def test_a_message_of_an_alert_that_was_rolled_back_is_found() -> None:
    more = [*GOOD.received, ("another", str(new_id()))]

    assert found(replace(GOOD, received=more)) == ["delivered and not stored"]
