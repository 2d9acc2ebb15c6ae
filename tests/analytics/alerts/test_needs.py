"""Live equals replay: what a rule says it needs of the past decides as the whole past does.

Whatever kinds there are is tried, with whatever parameters they declare.
"""

import tracemalloc
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from itertools import count, islice

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import User
from analytics.alerts import backtest, operations, queries
from analytics.alerts.backtest import Question
from analytics.alerts.models import Rule
from analytics.alerts.parameters import written
from analytics.alerts.queries import Past
from analytics.alerts.rules import Event, Kind, Needs, parsed, raised
from fido.lib.values.clock import Period
from fido.lib.values.ids import new_id
from tests.alerts import START, alerts_of, check_all, recorded
from tests.analytics.alerts import drawn
from tests.factories import UserFactory

KINDS = pytest.mark.parametrize("kind", list(Kind.known))
# Of a kind without bounds, one event would cost as much as the whole history is long.
MOST_READ = 2_000
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
# With a database in it, to look for the smallest example would take minutes.
UNSHRUNK = settings(PATIENT, phases=[Phase.explicit, Phase.generate])


def needed(needs: Needs, past: list[Event], this: Event) -> list[Event]:
    """In order, as the live route feeds it."""
    return list(needs.among(reversed(past), this.at))[::-1]


@KINDS
def test_what_is_needed_decides_as_the_whole_stream_does(kind: str) -> None:
    said = Counter[bool]()

    @settings(PATIENT, max_examples=300)
    @given(rule=drawn.rules(kind), stream=drawn.streams())
    def compare(rule: Kind, stream: list[Event]) -> None:
        watch = rule.watch()
        for n, this in enumerate(stream):
            live = raised(rule, [*needed(rule.needs, stream[:n], this), this])
            assert live == watch(this), (rule, n)
            said[live] += 1

    compare()
    assert min(said[True], said[False]) > 100, said


def alternating() -> Iterator[Event]:
    """Deposits and withdrawals of one moment, without end."""
    return (Event(new_id(), START, Decimal(1), n % 2 == 0) for n in count())


@KINDS
def test_what_an_event_reads_is_bounded_however_many_are_there(kind: str) -> None:
    needs = parsed(kind, {}).needs

    assert len(list(islice(needs.among(alternating(), START), MOST_READ))) < MOST_READ


@KINDS
def test_a_watch_keeps_no_more_of_a_longer_stream(kind: str) -> None:
    watch, events = parsed(kind, {}).watch(), alternating()
    tracemalloc.start()
    try:
        sizes = []
        for _ in range(2):
            for event in islice(events, MOST_READ):
                watch(event)
            sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()

    assert sizes[1] - sizes[0] < 5_000, sizes


def test_a_bound_that_is_left_out_bounds_nothing() -> None:
    past = list(islice(alternating(), 50))
    this = Event(new_id(), START, Decimal(1), is_deposit=True)

    for needs in (Needs(), Needs(span=timedelta(0)), Needs(last=50)):
        assert needed(needs, past, this) == past
    assert needed(Needs(deposits=False), past, this) == past[1::2]


@pytest.mark.django_db
def test_the_database_gives_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "PAGE", 2)

    @settings(UNSHRUNK, max_examples=30)
    @given(stream=drawn.streams(), various=st.lists(drawn.needs(), min_size=8, max_size=8))
    def compare(stream: list[Event], various: list[Needs]) -> None:
        user = UserFactory.create()
        stream = in_database(user, stream)
        for n, this in enumerate(stream):
            past = Past(user.pk, "USD", this.at, this.id)
            for needs in various:
                assert past.needed(needs) == needed(needs, stream[:n], this), needs

    compare()


def in_database(user: User, stream: list[Event]) -> list[Event]:
    return [queries.event_of(recorded(user, event)) for event in stream]


@pytest.mark.django_db
@pytest.mark.parametrize("few", [100, 0], ids=["one by one", "in rounds"])
def test_live_and_background_and_backtest_agree(monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    for module, name, value in [
        (queries, "PAGE", 2),
        (queries, "NEWEST", 1),
        (queries, "FIRST_PAGE", 2),
        (queries, "PAGE_OF_STREAM", 3),
        (operations, "ROWS", 3),
        (operations, "STEP_SECONDS", 0),
        (operations, "FEW", few),
    ]:
        monkeypatch.setattr(module, name, value)
    raising = Counter[str]()

    # Two of each, so that hardly a stream raises nothing.
    each_twice = st.tuples(*map(drawn.rules, [*Kind.known, *Kind.known]))

    @settings(UNSHRUNK, max_examples=20)
    @given(kinds=each_twice, stream=drawn.streams(least=6))
    def compare(kinds: tuple[Kind, ...], stream: list[Event]) -> None:
        user, rows = UserFactory.create(), stored(kinds)
        live = live_codes(user, stream)
        check_all(user)
        assert live == alerts_of(user) == backtest_codes(user, rows)
        raising.update(Rule.objects.get(code=c).kind for each in live.values() for c in each)

    compare()
    assert set(raising) == set(Kind.known), raising


def stored(kinds: tuple[Kind, ...]) -> list[Rule]:
    Rule.objects.update(enabled=False)
    first = 1 + Rule.objects.latest("code").code
    return [
        Rule.objects.create(code=code, kind=kind.name, parameters=written(kind), position=code)
        for code, kind in enumerate(kinds, start=first)
    ]


def live_codes(user: User, stream: list[Event]) -> dict[str, list[int]]:
    said, rules = {}, queries.active_rules()
    for event in stream:
        row = recorded(user, event)
        raised = operations.alerts_of([queries.recorded(row)], rules)
        said[str(row.pk)] = [alert.code for alert in raised]
    return {id_: codes for id_, codes in said.items() if codes}


def backtest_codes(user: User, rows: list[Rule]) -> dict[str, list[int]]:
    said: dict[str, list[int]] = {}
    for row in rows:
        question = Question(row.pk, parsed(row.kind, row.parameters), "USD", Period())
        for event in backtest.would_raise(question, user.pk):
            said.setdefault(str(event.id), []).append(row.code)
    return said
