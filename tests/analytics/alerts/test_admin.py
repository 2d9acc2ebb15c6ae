"""Admin pages of rules and alerts."""

from typing import Any

import pytest

from accounts.models import User
from analytics.alerts.models import Alert, Rule
from tests.alerts import check_all, recorded, stream
from tests.factories import StaffFactory, UserFactory
from tests.staff import Desk, clerk

pytestmark = pytest.mark.django_db
RULES, ALERTS = "alerts/rule/", "alerts/alert/"


@pytest.fixture
def root(db: None) -> Desk:
    return Desk(StaffFactory.create(username="root"))


@pytest.fixture
def jane(db: None) -> User:
    return UserFactory.create(username="jane")


def rule(code: int) -> Rule:
    return Rule.objects.get(code=code)


def saved(desk: Desk, row: Rule, **form: Any) -> Any:
    filled = {"code": row.code, "kind": row.kind, "currency": row.currency, "enabled": "on"}
    filled |= {"position": row.position, "parameters": "{}"}
    return desk.post(f"{RULES}{row.pk}/change/", **(filled | form))


def test_an_amount_is_stored_exactly_as_it_was_typed(root: Desk) -> None:
    answer = saved(root, rule(1100), parameters='{"amount": 150.10}')

    assert answer.status_code == 302, answer.content
    assert rule(1100).parameters == {"amount": "150.10"}


def test_parameters_that_were_left_out_have_their_default(root: Desk) -> None:
    assert saved(root, rule(123), parameters='{"seconds": 60}').status_code == 302

    assert rule(123).parameters == {"amount": "200", "seconds": 60}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"parameters": '{"amount": -1}'}, "amount: The amount must be greater than zero."),
        ({"parameters": '{"count": 3}'}, "count: Unknown. Valid names: amount."),
        ({"parameters": "[1]"}, "parameters: They must be a JSON object"),
        ({"parameters": "{amount"}, "Enter a valid JSON."),
        ({"parameters": "[" * 100_000}, "Enter a valid JSON."),
        ({"parameters": '{"amount": %s}' % ("1" * 5000)}, "Enter a valid JSON."),
        ({"parameters": '{"amount": 1e9999999999999999999}'}, "Enter a valid JSON."),
        ({"parameters": '{"amount": 1, "amount": 2}'}, "Enter a valid JSON."),
        (
            {"kind": "velocity", "parameters": '{"type": "debit"}'},
            "type: It is one of any, deposit, withdrawal.",
        ),
        ({"kind": "only-withdrawals", "parameters": '{"count": 0}'}, "from 1 to 1,000."),
        ({"kind": "horoscope"}, "horoscope is not one of the available choices"),
        ({"currency": "XYZ"}, "Not an ISO 4217 currency."),
        ({"code": 10000}, "rule_code_in_bounds"),
        ({"code": 30}, "Rule with this Code and Currency already exists."),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_is_no_rule_is_refused_with_the_reason(
    root: Desk, change: dict[str, Any], sentence: str
) -> None:
    answer = saved(root, rule(1100), **change)

    assert answer.status_code == 200
    assert sentence in answer.content.decode().replace("“", "").replace("”", "")
    assert (rule(1100).parameters, rule(1100).kind) == ({"amount": "100"}, "large-withdrawal")


def test_a_new_rule_is_in_force_at_once(root: Desk, jane: User) -> None:
    form = {"code": 7, "kind": "only-withdrawals", "parameters": '{"count": 1}', "enabled": "on"}
    assert root.post(f"{RULES}add/", **form, currency="eur", position=50).status_code == 302
    assert rule(7).currency == "EUR"

    recorded(jane, stream("-1@0")[0], "EUR")
    check_all(jane)

    assert Alert.objects.get().code == 7


def test_velocity_is_explained_and_stored_with_all_its_parameters(root: Desk) -> None:
    page = root.text(f"{RULES}add/")
    assert "<strong>velocity</strong>: More than `count` movements of a `type`" in page
    assert "type: one of any, deposit, withdrawal." in page

    answer = saved(root, rule(30), kind="velocity", parameters='{"type": "deposit", "count": 5}')

    assert answer.status_code == 302, answer.content
    assert rule(30).parameters == {"count": 5, "seconds": 60, "type": "deposit"}
    assert "type deposit" in root.text(RULES)


def test_the_list_says_which_rule_is_damaged(root: Desk) -> None:
    Rule.objects.filter(code=30).update(parameters={"count": "none"})
    Rule.objects.filter(code=300).update(kind="horoscope", parameters=3)

    page = root.text(RULES)

    assert "count: It must be a whole number from 1 to 1,000." in page
    assert "There is no kind &#x27;horoscope&#x27;." in page
    assert root.get(f"{RULES}{rule(300).pk}/change/").status_code == 200


def test_a_rule_that_has_raised_alerts_stays(root: Desk, jane: User) -> None:
    recorded(jane, stream("-101@0")[0])
    check_all(jane)

    page = root.post(f"{RULES}{rule(1100).pk}/delete/", post="yes").content.decode()

    assert "Cannot delete rule" in page
    assert rule(1100)


def test_alerts_are_listed_by_user_and_code_and_changed_by_nobody(root: Desk, jane: User) -> None:
    other = UserFactory.create(username="other")
    for user in (jane, other):
        for event in stream("-101@0 -1@1 -1@2"):
            recorded(user, event)
        check_all(user)
    of_jane = Alert.objects.get(user=jane, code=1100)

    assert root.text(ALERTS).count('class="field-code"') == 4
    page = root.text(ALERTS, q="jane", code="1100")
    assert page.count('class="field-code"') == 1
    assert str(of_jane.transaction_id) in page
    assert root.text(ALERTS, code="x")
    assert root.get(f"{ALERTS}{of_jane.pk}/change/").status_code == 200
    assert root.post(f"{ALERTS}{of_jane.pk}/change/", code=1).status_code == 403
    assert root.get(f"{ALERTS}add/").status_code == 403


@pytest.mark.parametrize(("path", "permission"), [(RULES, "view_rule"), (ALERTS, "view_alert")])
def test_without_its_permission_a_list_is_refused(path: str, permission: str) -> None:
    assert clerk().get(path).status_code == 403
    assert clerk(f"alerts.{permission}").get(path).status_code == 200
