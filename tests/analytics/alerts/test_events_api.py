"""POST /events: recorded in the wallet, in order, and checked at once."""

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group

from accounts.models import SERVICE_GROUP
from accounts.wallets.models import Balance, Wallet
from analytics.alerts import events, operations
from analytics.alerts.models import Alert, EventClock, PendingCheck, Rule
from fido.lib.values import ids
from fido.models import IdempotencyKey
from tests.alerts import alerts_of, check_all, naively, random_stream
from tests.analytics.alerts.test_rules import BORDERS
from tests.client import ApiClient, errors_of
from tests.factories import UserFactory, record
from tests.races import at_once
from transactions.models import Transaction

pytestmark = pytest.mark.django_db
SECOND = 1_769_860_800  # 2026-01-31T12:00:00Z


@pytest.fixture
def service(db: None) -> ApiClient:
    user = UserFactory.create(username="events")
    user.groups.add(Group.objects.get_or_create(name=SERVICE_GROUP)[0])
    return ApiClient(user)


def event(client: ApiClient, amount: str, time: Any = 0, **also: Any) -> dict[str, Any]:
    """A body: `+5` is a deposit, `-5` a withdrawal, some seconds after the beginning."""
    kind = "deposit" if amount.startswith("+") else "withdraw"
    body = {"type": kind, "amount": amount[1:], "user_id": client.user_id, "time": SECOND + time}
    return body | also


def send(client: ApiClient, amount: str, time: int = 0, **also: Any) -> Any:
    answer = client.post("/events", event(client, amount, time, **also))
    assert answer.status_code == 200, answer.content
    return answer.json()


def refused(answer: Any, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content


def balance(client: ApiClient) -> Decimal:
    return Balance.objects.get(user_id=client.user_id, wallet__name="main").amount


def nothing_is_there() -> bool:
    models = (Transaction, Alert, EventClock, PendingCheck, Wallet, Balance)
    return not any(model._default_manager.exists() for model in models)


def test_an_event_is_a_transaction_of_the_main_wallet(ada: ApiClient) -> None:
    assert send(ada, "+42.00") == {"user_id": ada.user_id, "alerts": False, "alert_codes": []}

    (row,) = ada.get("/transactions").json()["results"]
    assert (row["transaction_amount"], row["transaction_type"]) == ("42.00", "credit")
    assert (row["transaction_date"], row["currency"]) == ("2026-01-31T12:00:00Z", "USD")
    assert (row["full_name"], balance(ada)) == ("Ada Lovelace", Decimal(42))
    assert ada.get("/analytics").json()["total_credit"] == "42.00"


def test_codes_are_answered_in_the_order_of_the_rules(ada: ApiClient) -> None:
    send(ada, "+200.01")

    answer = send(ada, "-100.01", 1)

    assert answer == {"user_id": ada.user_id, "alerts": True, "alert_codes": [1100, 123]}
    (row,) = Alert.objects.filter(user_id=ada.user_id, code=1100)
    assert row.transaction_id == Transaction.objects.get(transaction_type="debit").pk


@pytest.mark.parametrize("word", ["withdraw", "withdrawal"])
def test_both_words_for_a_withdrawal_are_taken(ada: ApiClient, word: str) -> None:
    send(ada, "+10")
    send(ada, "-4", 1, type=word)

    assert balance(ada) == Decimal(6)


WHOLE_SECONDS = [each for each in BORDERS if not re.search(r"@\d+\.", each[0])]
OPENING = Decimal(100_000)


@pytest.mark.parametrize(("text", "expected"), WHOLE_SECONDS, ids=[t for t, _ in WHOLE_SECONDS])
def test_each_border_of_the_contract_holds_on_the_route(
    ada: ApiClient, text: str, expected: list[int]
) -> None:
    # Gives withdrawals a balance to draw on; an opening amount is not a transaction.
    wallet = Wallet.objects.create(user_id=ada.user_id, name="main")
    Balance.objects.create(
        user_id=ada.user_id, wallet=wallet, currency="USD", opening=OPENING, amount=OPENING
    )

    for word in text.split():
        amount, _, second = word.partition("@")
        answer = send(ada, amount, int(second))

    assert answer["alert_codes"] == expected


BAD: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"type": "transfer"}, [("#/type", "invalid-choice")]),
    ({"type": None}, [("#/type", "null")]),
    ({"amount": "0"}, [("#/amount", "not-positive")]),
    ({"amount": "-1"}, [("#/amount", "not-positive")]),
    ({"amount": "0.001"}, [("#/amount", "too-many-decimals")]),
    ({"amount": "NaN"}, [("#/amount", "invalid")]),
    ({"time": 0}, [("#/time", "invalid")]),
    ({"time": -1}, [("#/time", "invalid")]),
    ({"time": 1.5}, [("#/time", "invalid")]),
    ({"time": "1"}, [("#/time", "invalid")]),
    ({"time": True}, [("#/time", "invalid")]),
    ({"time": 253402300800}, [("#/time", "invalid")]),
    ({"time": 10**400}, [("#/time", "invalid")]),
    ({"user_id": "x"}, [("#/user_id", "invalid")]),
    ({"user_id": None}, [("#/user_id", "null")]),
    ({"user_id": 2**63}, [("#/user_id", "invalid")]),
    ({"wallet": "main"}, [("#/wallet", "unknown")]),
]


@pytest.mark.parametrize(("change", "errors"), BAD, ids=[str(change)[:40] for change, _ in BAD])
def test_a_bad_event_is_refused_and_leaves_nothing(
    ada: ApiClient, change: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    answer = ada.post("/events", event(ada, "+1") | change)

    assert errors_of(answer) == errors
    assert nothing_is_there()


@pytest.mark.parametrize("name", ["type", "amount", "user_id", "time"])
def test_every_field_is_required(ada: ApiClient, name: str) -> None:
    body = event(ada, "+1")
    del body[name]

    assert errors_of(ada.post("/events", body)) == [(f"#/{name}", "required")]


def test_the_last_second_that_there_is_is_taken(ada: ApiClient) -> None:
    send(ada, "+1", 253402300799 - SECOND)

    assert Transaction.objects.get().transaction_date.year == 9999


def test_more_than_the_balance_is_refused_and_later_rules_do_not_see_it(ada: ApiClient) -> None:
    refused(ada.post("/events", event(ada, "-0.01")), 409, "insufficient-funds")
    assert nothing_is_there()
    send(ada, "+150")
    send(ada, "-1", 1)
    send(ada, "-1", 2)
    for _ in range(3):
        refused(ada.post("/events", event(ada, "-148.01", 99)), 409, "insufficient-funds")
    ada.post("/events", event(ada, "+60", 3) | {"type": "transfer"})

    assert send(ada, "+50", 3)["alert_codes"] == []
    assert send(ada, "-1", 4)["alert_codes"] == []
    assert (balance(ada), Transaction.objects.count()) == (Decimal(197), 5)
    # The refused events did not move the user's clock either.
    assert EventClock.objects.get().latest.timestamp() == SECOND + 4


def test_an_earlier_time_is_refused_and_an_equal_one_is_not(ada: ApiClient, ben: ApiClient) -> None:
    send(ada, "+1", 10)

    refused(ada.post("/events", event(ada, "+1", 9)), 409, "out-of-order")

    assert Transaction.objects.count() == 1
    send(ada, "+1", 10)
    send(ben, "+1", 0)
    # Only events count: other routes may record a transaction with any time.
    assert ada.user
    record(ada.user)
    send(ada, "+1", 10)


def test_equal_times_are_ordered_by_arrival_whatever_the_servers_clocks_say(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(ada, "+1")
    first = Transaction.objects.get()
    earlier = type(first.pk)(int=first.pk.int - 2**90)
    for module in (events, ids):
        monkeypatch.setattr(module, "new_id", lambda: earlier)

    for amount in ("+2", "+3"):
        answer = send(ada, amount)

    assert answer["alert_codes"] == [300]
    rows = Transaction.objects.order_by("id").values_list("transaction_amount", flat=True)
    assert list(rows) == [1, 2, 3]


def test_another_user_is_404_for_customers_and_recorded_for_by_staff_and_services(
    ada: ApiClient, ben: ApiClient, staff: ApiClient, service: ApiClient
) -> None:
    nobody = 2**62
    answers = [
        ben.post("/events", event(ada, "+1")),
        *(who.post("/events", event(ada, "+1", user_id=nobody)) for who in (ben, staff, service)),
    ]
    for answer in answers:
        refused(answer, 404, "not-found")
    assert nothing_is_there()

    for who in (staff, service):
        assert who.post("/events", event(ada, "+1")).json()["user_id"] == ada.user_id
    assert balance(ada) == Decimal(2)
    assert ApiClient().post("/events", event(ada, "+1")).status_code == 401


def test_sent_again_with_its_key_it_is_done_once(ada: ApiClient) -> None:
    body = event(ada, "+200.01")
    first, again = (ada.post("/events", body, HTTP_IDEMPOTENCY_KEY="k") for _ in range(2))

    assert first.json() == again.json()
    assert again.json()["alert_codes"] == [123]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (Transaction.objects.count(), Alert.objects.count()) == (1, 1)
    refused(
        ada.post("/events", event(ada, "+1"), HTTP_IDEMPOTENCY_KEY="k"),
        422,
        ("idempotency-key-reused"),
    )


def test_a_refused_event_does_not_use_its_key_up(ada: ApiClient) -> None:
    body = event(ada, "-1", 5)
    refused(ada.post("/events", body, HTTP_IDEMPOTENCY_KEY="k"), 409, "insufficient-funds")
    assert not IdempotencyKey.objects.exists()
    send(ada, "+1")

    assert ada.post("/events", body, HTTP_IDEMPOTENCY_KEY="k").status_code == 200


def test_what_was_checked_on_the_spot_is_not_checked_again(ada: ApiClient) -> None:
    assert ada.user
    Rule.objects.filter(code=1100).update(enabled=False)
    send(ada, "+500")
    send(ada, "-200", 60)
    Rule.objects.filter(code=1100).update(enabled=True)

    assert not PendingCheck.objects.exists()
    check_all(ada.user)
    assert list(Alert.objects.values_list("code", flat=True)) == [123]


def test_a_damaged_rule_does_not_keep_events_from_being_recorded(ada: ApiClient) -> None:
    Rule.objects.filter(code=1100).update(parameters=["no", "object"])
    send(ada, "+500")

    assert send(ada, "-200", 1)["alert_codes"] == [123]


def test_a_rule_of_another_currency_does_not_see_it_and_one_code_is_answered_once(
    ada: ApiClient,
) -> None:
    Rule.objects.create(code=7, kind="only-withdrawals", parameters={"count": 1}, currency="EUR")
    Rule.objects.create(code=1100, kind="large-withdrawal", currency="USD")
    send(ada, "+500")

    assert send(ada, "-200", 60)["alert_codes"] == [1100]
    assert Alert.objects.filter(code=1100).count() == 2


# More than 2 deposits in 10 s are those of the seconds 0, 4 and 10, and stay so for the withdrawal.
FLURRY = [("+10", 0), ("+9", 4), ("-1", 5), ("+8", 10), ("-1", 10), ("+7", 15)]


def test_velocity_is_raised_by_the_event_that_is_one_too_many(ada: ApiClient) -> None:
    parameters = {"count": 2, "seconds": 10, "type": "deposit"}
    Rule.objects.create(code=8, kind="velocity", parameters=parameters)

    answers = [send(ada, amount, second)["alert_codes"] for amount, second in FLURRY]

    assert answers == [[], [], [], [8], [8], []]


def test_live_and_replayed_streams_agree(service: ApiClient) -> None:
    for seed in range(15):
        user = UserFactory.create()
        wallet = Wallet.objects.create(user=user, name="main")
        Balance.objects.create(
            user=user, wallet=wallet, currency="USD", opening=OPENING, amount=OPENING
        )
        said = {}
        for each in random_stream(seed):
            body = {
                "type": "deposit" if each.is_deposit else "withdrawal",
                "amount": str(each.amount),
                "user_id": user.pk,
                "time": int(each.at.timestamp()),
            }
            answer = service.post("/events", body).json()
            row = Transaction.objects.filter(user=user).order_by("-id").first()
            said[str(row and row.pk)] = answer["alert_codes"]
        assert {k: v for k, v in said.items() if v} == naively(user) == alerts_of(user)


@pytest.mark.django_db(transaction=True)
def test_events_at_once_answer_as_in_the_order_in_which_they_were_recorded(
    ada: ApiClient,
) -> None:
    assert ada.user
    user = ada.user
    answers: dict[str, list[list[int]]] = {}
    for second in range(6):
        amounts = ["+40.01", "+60.01", "+99.99", "-1", "-2", "-3"]
        if second == 0:
            send(ada, "+1000")

        def call(amount: str, second: int = second) -> Any:
            return ApiClient(user).post("/events", event(ada, amount, second))

        for answer in at_once(*[lambda a=a: call(a) for a in amounts]):
            assert answer.status_code == 200, answer.content
            answers.setdefault(str(second), []).append(answer.json()["alert_codes"])

    by_second: dict[str, list[list[int]]] = {str(n): [] for n in range(6)}
    expected = naively(user)
    for row in Transaction.objects.filter(user=user).exclude(transaction_amount=1000):
        at = str(int(row.transaction_date.timestamp()) - SECOND)
        by_second[at].append(expected.get(str(row.pk), []))
    assert {k: sorted(v) for k, v in answers.items()} == {
        k: sorted(v) for k, v in by_second.items()
    }
    assert alerts_of(user) == expected


@pytest.mark.django_db(transaction=True)
def test_an_event_that_breaks_off_leaves_nothing(
    ada: ApiClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(alerts: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(operations, "store", broken)
        assert ada.post("/events", event(ada, "+1")).status_code == 500
    assert nothing_is_there()
    assert send(ada, "+1")["alert_codes"] == []


def test_neither_log_nor_job_holds_a_name(
    ada: ApiClient, capsys: pytest.CaptureFixture[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        send(ada, "+200.01")
        ada.post("/events", event(ada, "+1") | {"type": "Ada Lovelace"})
        ada.post("/events", json.dumps({"Ada Lovelace": 1}))

    assert "Lovelace" not in capsys.readouterr().out
