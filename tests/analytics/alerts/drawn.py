"""Rules of any kind, and streams of events about their borders, as Hypothesis draws them."""

from datetime import timedelta
from decimal import Decimal
from functools import singledispatch
from typing import Any

from hypothesis import strategies as st

from analytics.alerts.parameters import Amount, Choice, Parameter, Whole, declared
from analytics.alerts.rules import Event, Kind, Needs
from fido.lib.values.ids import new_id
from tests.alerts import START

MOST_EVENTS = 12
amounts = st.sampled_from(["0.01", "1", "1.01", "2", "3"]).map(Decimal)


@singledispatch
def values(parameter: Parameter) -> st.SearchStrategy[Any]:
    """What staff may set. A new type of parameter has to say here how it is drawn."""
    raise NotImplementedError(type(parameter))


@values.register
def _whole(parameter: Whole) -> st.SearchStrategy[int]:
    # Small ones lie about the borders of a short stream.
    small = st.integers(parameter.least, min(parameter.least + 4, parameter.most))
    return small | small | small | st.sampled_from([parameter.least, parameter.most])


@values.register
def _choice(parameter: Choice) -> st.SearchStrategy[str]:
    return st.sampled_from(parameter.words)


@values.register
def _amount(parameter: Amount) -> st.SearchStrategy[Decimal]:
    return st.sampled_from(["0.01", "0.9999", "1", "2", "3.5", "6", "10"]).map(Decimal)


def rules(kind: str) -> st.SearchStrategy[Kind]:
    """Rules of a kind, with any parameters that it declares."""
    cls = Kind.known[kind]
    return st.builds(cls, **{name: values(each) for name, each in declared(cls).items()})


def needs() -> st.SearchStrategy[Needs]:
    """Also such as no kind has yet."""
    return st.builds(
        Needs,
        deposits=st.sampled_from([None, True, False]),
        last=st.none() | st.integers(0, 6),
        span=st.none() | st.integers(0, 6).map(lambda n: timedelta(seconds=n)) | FAR,
        enough=st.none() | st.sampled_from(["0", "1", "2.01", "6"]).map(Decimal),
    )


# Before the first moment that there is.
FAR = st.just(timedelta(days=3000 * 365))


@st.composite
def streams(draw: st.DrawFn, *, least: int = 1) -> list[Event]:
    """At least so many events in order, many of them at one time."""
    pauses = st.sampled_from([0, 0, 0, 1, 1, 2, 5, 6]).map(lambda n: timedelta(seconds=n))
    steps = draw(
        st.lists(st.tuples(pauses, amounts, st.booleans()), min_size=least, max_size=MOST_EVENTS)
    )
    at, events = START, []
    for pause, amount, is_deposit in steps:
        at += pause
        events.append(Event(new_id(), at, amount, is_deposit))
    return events
