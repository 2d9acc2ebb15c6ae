"""The rules, each at its limit, and against a second implementation of the contract."""

from collections.abc import Iterator

import pytest

from analytics.alerts.parameters import InvalidParameters, defaults
from analytics.alerts.rules import Event, Kind, LargeWithdrawal, parsed, raised
from tests.alerts import naive, random_stream, stream

DEFAULTS = {
    1100: "large-withdrawal",
    30: "only-withdrawals",
    300: "rising-deposits",
    123: "deposits-in-window",
}
RULES = {code: parsed(kind, {}) for code, kind in DEFAULTS.items()}


def codes(events: list[Event]) -> list[int]:
    return [code for code, rule in RULES.items() if raised(rule, events)]


BORDERS = [
    # 1100: this is a withdrawal of more than 100
    ("-100@0", []),
    ("-100.01@0", [1100]),
    ("+100.01@0", []),
    ("-100.01@0 +1@1", []),
    ("-100.01@0 -1@1", []),
    # 30: the last 3 are all withdrawals
    ("-1@0 -1@1", []),
    ("-1@0 -1@1 -1@2", [30]),
    ("-1@0 -1@1 -1@2 -1@3", [30]),
    ("-1@0 -1@1 +1@2 -1@3", []),
    ("+1@0 -1@1 -1@2 -1@3", [30]),
    ("-1@0 -1@1 -1@2 +1@3", []),
    ("-1@0 -1@0 -1@0", [30]),
    ("-1@0 -1@99999 -100.01@9999999", [1100, 30]),
    # 300: the last 3 deposits each exceed the one before
    ("+1@0 +2@99", []),
    ("+1@0 +2@99 +3@199", [300]),
    ("+1@0 +2@99 +2@199", []),
    ("+1@0 +1@99 +2@199", []),
    ("+1@0 +2@99 +2.01@199", [300]),
    ("+3@0 +2@99 +1@199", []),
    ("+9@0 +1@99 +2@199 +3@299", [300]),
    ("+1@0 +2@99 +3@199 +2@299", []),
    ("+1@0 -5@50 +2@99 -5@150 +3@199", [300]),
    ("+1@0 +2@99 +3@199 -5@299", [300]),
    ("+1@0 +2@99 -5@199", []),
    # 123: the deposits of the 30 s up to this event add up to more than 200
    ("+200@0", []),
    ("+200.01@0", [123]),
    ("+100@0 +100@30", []),
    ("+100@0 +100.01@30", [123]),
    ("+100@0 +100.01@31", []),
    ("+100@0 +100.01@30.000001", []),
    ("+67.15@0 +66.70@10 +66.15@20", []),
    ("+67.15@0 +66.70@10 +66.16@20", [123]),
    ("+67.15@0 +66.70@10 +66.16@31", []),
    ("+150@0 -1@10 +50.01@20", [123]),
    ("+200.01@0 -1@30", [123]),
    ("+200.01@0 -1@31", []),
    ("+200.01@0 -100.01@1", [1100, 123]),
    ("+100.01@0 +100@0", [123]),
    ("+0.1@0 +0.2@0 +199.7@0", [300]),
    ("+0.1@0 +0.2@0 +199.71@0", [300, 123]),
    ("+50@0 +60@10 +100@20", [300, 123]),
]


@pytest.mark.parametrize(("events", "expected"), BORDERS, ids=[text for text, _ in BORDERS])
def test_each_rule_at_its_border(events: str, expected: list[int]) -> None:
    assert codes(stream(events)) == expected


def needed(rule: Kind, events: list[Event]) -> list[Event]:
    """What the live route would read of the past, plus this event."""
    *past, this = events
    return [*reversed(list(rule.needs.among(reversed(past), this.at))), this]


def test_what_is_needed_decides_as_the_whole_stream_does_and_as_the_contract_says() -> None:
    raising = dict.fromkeys(RULES, 0)
    for seed in range(10_000):
        events = random_stream(seed)
        watches = {code: rule.watch() for code, rule in RULES.items()}
        for length in range(1, len(events) + 1):
            past = events[:length]
            replayed = [code for code, watch in watches.items() if watch(past[-1])]
            live = [code for code, rule in RULES.items() if raised(rule, needed(rule, past))]
            assert replayed == live == naive(past), seed
            for code in live:
                raising[code] += 1

    assert all(count > 1_000 for count in raising.values()), raising


def parameters() -> Iterator[tuple[str, object, dict[str, str]]]:
    whole, amount = "It must be a whole number from", "An amount is"
    a_number = 'a decimal number such as "100.00".'
    yield "large-withdrawal", {"amount": "0"}, {"amount": "The amount must be greater than zero."}
    yield "large-withdrawal", {"amount": "-1"}, {"amount": "The amount must be greater than zero."}
    yield "large-withdrawal", {"amount": 0.1}, {"amount": f"{amount} {a_number}"}
    yield "large-withdrawal", {"amount": "0.00001"}, {"amount": "At most 4 decimals."}
    yield "large-withdrawal", {"count": 3}, {"count": "Unknown. Valid names: amount."}
    yield "only-withdrawals", {"count": 0}, {"count": f"{whole} 1 to 1,000."}
    yield "only-withdrawals", {"count": 1001}, {"count": f"{whole} 1 to 1,000."}
    yield "only-withdrawals", {"count": True}, {"count": f"{whole} 1 to 1,000."}
    yield "rising-deposits", {"count": 1}, {"count": f"{whole} 2 to 1,000."}
    an_object = 'They must be a JSON object, such as {"count": 3}.'
    yield "rising-deposits", [3], {"parameters": an_object}
    yield (
        "deposits-in-window",
        {"seconds": "x", "amount": None},
        {
            "seconds": f"{whole} 0 to 2,678,400.",
            "amount": f"{amount} {a_number}",
        },
    )
    yield "velocity", {"count": 0}, {"count": f"{whole} 1 to 1,000."}
    yield "velocity", {"seconds": -1}, {"seconds": f"{whole} 0 to 2,678,400."}
    for word in ("debit", "", None, True, ["any"]):
        yield "velocity", {"type": word}, {"type": "It is one of any, deposit, withdrawal."}
    yield "no-such-kind", {}, {"kind": "There is no kind 'no-such-kind'."}


@pytest.mark.parametrize(("kind", "given", "errors"), list(parameters()))
def test_parameters_that_are_none_are_refused_with_the_reason(
    kind: str, given: object, errors: dict[str, str]
) -> None:
    with pytest.raises(InvalidParameters) as refusal:
        parsed(kind, given)

    assert refusal.value.errors == errors


def test_other_parameters_move_the_border() -> None:
    assert raised(parsed("large-withdrawal", {"amount": "150.5"}), stream("-150.51@0"))
    assert not raised(parsed("large-withdrawal", {"amount": "150.5"}), stream("-150.50@0"))
    assert raised(parsed("only-withdrawals", {"count": 1}), stream("-1@0"))
    assert raised(parsed("rising-deposits", {"count": 2}), stream("+1@0 +2@9"))
    at_once = parsed("deposits-in-window", {"seconds": 0, "amount": "1"})
    assert raised(at_once, stream("+1@0 +1@0"))
    assert not raised(at_once, stream("+1@0 +1@1"))


# More than 2 movements in the 10 s up to this event: of any type, deposits, withdrawals.
VELOCITY = [
    ("+1@0 -1@1", []),
    ("+1@0 -1@1 +1@2", ["any"]),
    ("-1@0 -1@0 -1@0", ["any", "withdrawal"]),
    ("+1@0 +1@0 +1@0", ["any", "deposit"]),
    ("+1@0 +1@5 +1@10", ["any", "deposit"]),
    ("+1@0 +1@5 +1@10.000001", []),
    ("+1@0 +1@0 +1@11 +1@11 +1@11", ["any", "deposit"]),
    ("+1@0 +1@1 +1@2 -1@10", ["any", "deposit"]),
    ("+1@0 +1@1 +1@2 -1@11", ["any"]),
    ("+1@0 +1@1 +1@2 -1@13", []),
    ("-1@0 +1@1 -1@2 +1@3 -1@4", ["any", "withdrawal"]),
]


@pytest.mark.parametrize(("events", "expected"), VELOCITY, ids=[text for text, _ in VELOCITY])
def test_velocity_at_its_border(events: str, expected: list[str]) -> None:
    rules = {
        each: parsed("velocity", {"count": 2, "seconds": "10", "type": each})
        for each in ("any", "deposit", "withdrawal")
    }

    found = stream(events)

    assert [each for each, rule in rules.items() if raised(rule, found)] == expected
    assert [each for each, rule in rules.items() if raised(rule, needed(rule, found))] == expected


def test_velocity_of_one_moment() -> None:
    rule = parsed("velocity", {"count": 1, "seconds": 0})

    assert raised(rule, stream("+1@0 -1@0"))
    assert not raised(rule, stream("+1@0 -1@0.000001"))


def test_a_kind_keeps_its_name_for_itself() -> None:
    class Stricter(LargeWithdrawal):
        pass

    assert Kind.known["large-withdrawal"] is LargeWithdrawal
    with pytest.raises(TypeError, match="a kind 'large-withdrawal' already"):
        type("Another", (LargeWithdrawal,), {"name": "large-withdrawal"})


def test_defaults_are_those_of_the_contract() -> None:
    assert {code: defaults(type(rule)) for code, rule in RULES.items()} == {
        1100: {"amount": "100"},
        30: {"count": 3},
        300: {"count": 3},
        123: {"amount": "200", "seconds": 30},
    }
    velocity = type(parsed("velocity", {}))
    assert defaults(velocity) == {"count": 10, "seconds": 60, "type": "any"}
