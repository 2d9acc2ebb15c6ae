"""The rules: which event of an ordered stream raises an alert.

A stream holds the events of one user in one currency, in order of time and then of arrival. A rule
is fed them one by one and says of each whether it raises an alert; it uses no clock and no
database. Live, in the background and in a backtest, the same code is fed the same events; only the
starting point differs. `needs` says how far back is enough.

A new kind is one class below: its name, its parameters, what it needs, and how it watches.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar
from uuid import UUID

from analytics.alerts.parameters import (
    Amount,
    Choice,
    InvalidParameters,
    Whole,
    parameter,
    read,
)
from fido.lib.values import money

# Bound the cost of one event, whatever staff set.
MAX_COUNT = 1_000
MAX_SECONDS = 31 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Event:
    """A deposit or a withdrawal. `amount` is positive, in the currency's units."""

    id: UUID
    at: datetime
    amount: Decimal
    is_deposit: bool


# Called with each event in order; returns whether this one raises.
Watch = Callable[[Event], bool]


@dataclass(frozen=True)
class Needs:
    """Which earlier events decide: the newest of one type or of any, within all bounds.

    At most `last` of them; none older than `span` before this event, both ends included; and only
    until their amounts add up to more than `enough`. None means no bound: a bound that a kind
    leaves out makes its rules slower, never wrong.
    """

    deposits: bool | None = None
    last: int | None = None
    span: timedelta | None = None
    enough: Decimal | None = None

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        # Each event looks up several of them, and the amount alone takes long.
        return hash((self.deposits, self.last, self.span, self.enough))

    def among(self, newest_first: Iterable[Event], at: datetime) -> Iterator[Event]:
        """Those of the events before one at this time that decide, the newest first.

        It asks for no event beyond the last one that it must see, so they may come from the
        database by the page.
        """
        total = money.ZERO
        for event in islice(self._that_may_count(newest_first, at), self.last):
            yield event
            total = money.added(total, event.amount)
            if self.enough is not None and total > self.enough:
                return

    def _that_may_count(self, newest_first: Iterable[Event], at: datetime) -> Iterator[Event]:
        for event in newest_first:
            # Before the type: all that come after it are too old as well.
            if self.span is not None and at - event.at > self.span:
                return
            if self.deposits is None or event.is_deposit == self.deposits:
                yield event


NOTHING = Needs(last=0)


class Kind(ABC):
    """A kind of rule with its parameters. A subclass registers itself under its own `name`."""

    name: ClassVar[str] = ""
    known: ClassVar[dict[str, type[Kind]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # An inherited name would put a subclass in its parent's place, for rules already stored.
        if "name" in vars(cls):
            if cls.name in Kind.known:
                raise TypeError(f"There is a kind {cls.name!r} already.")
            Kind.known[cls.name] = cls

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """The events that a new watch has to be fed before an event, to judge that event.

        Bounded by `last`, or by `span` and `enough`: an event must not cost a whole history.
        """

    @abstractmethod
    def watch(self) -> Watch:
        """A watch that has seen no events. It stores no more than it needs."""


@dataclass(frozen=True, kw_only=True)
class LargeWithdrawal(Kind):
    """This event is a withdrawal of more than `amount`."""

    name = "large-withdrawal"
    amount: Decimal = parameter(Amount(), Decimal(100))

    @property
    def needs(self) -> Needs:
        return NOTHING

    def watch(self) -> Watch:
        return lambda event: not event.is_deposit and event.amount > self.amount


@dataclass(frozen=True, kw_only=True)
class OnlyWithdrawals(Kind):
    """The last `count` events are all withdrawals."""

    name = "only-withdrawals"
    count: int = parameter(Whole(1, MAX_COUNT), 3)

    @property
    def needs(self) -> Needs:
        return Needs(last=self.count - 1)

    def watch(self) -> Watch:
        run = 0

        def observe(event: Event) -> bool:
            nonlocal run
            run = 0 if event.is_deposit else run + 1
            return run >= self.count

        return observe


@dataclass(frozen=True, kw_only=True)
class RisingDeposits(Kind):
    """The last `count` deposits each exceed the one before; withdrawals between are ignored.

    Every event raises it while that holds, including withdrawals.
    """

    name = "rising-deposits"
    count: int = parameter(Whole(2, MAX_COUNT), 3)

    @property
    def needs(self) -> Needs:
        return Needs(deposits=True, last=self.count)

    def watch(self) -> Watch:
        # No deposit yet: the first one has none to exceed, and begins a run.
        latest, run = money.ZERO, 0

        def observe(event: Event) -> bool:
            nonlocal latest, run
            if event.is_deposit:
                run = run + 1 if event.amount > latest else 1
                latest = event.amount
            return run >= self.count

        return observe


@dataclass(frozen=True, kw_only=True)
class DepositsInWindow(Kind):
    """The deposits of the `seconds` up to this event add up to more than `amount`.

    Both ends count: a deposit exactly `seconds` ago is included. Every event raises it while that
    holds, including withdrawals.
    """

    name = "deposits-in-window"
    amount: Decimal = parameter(Amount(), Decimal(200))
    seconds: int = parameter(Whole(0, MAX_SECONDS), 30)

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    @property
    def needs(self) -> Needs:
        return Needs(deposits=True, span=self.span, enough=self.amount)

    def watch(self) -> Watch:
        window: deque[tuple[datetime, Decimal]] = deque()
        total = money.ZERO

        def observe(event: Event) -> bool:
            nonlocal total
            if event.is_deposit:
                window.append((event.at, event.amount))
                total = money.added(total, event.amount)
            # Drop the oldest once it is too old. Drop it too if the others alone exceed the amount,
            # because they stay in the window for as long as it does. So a window of a million
            # deposits stores no more than are needed to exceed the amount.
            while window and (
                event.at - window[0][0] > self.span
                or money.added(total, -window[0][1]) > self.amount
            ):
                total = money.added(total, -window.popleft()[1])
            return total > self.amount

        return observe


@dataclass(frozen=True, kw_only=True)
class Velocity(Kind):
    """More than `count` movements of a `type` within the `seconds` up to this event.

    Both ends count: a movement exactly `seconds` ago is one of them. It says so of every event
    while that is so, of those of the other type too.
    """

    name = "velocity"
    count: int = parameter(Whole(1, MAX_COUNT), 10)
    seconds: int = parameter(Whole(0, MAX_SECONDS), 60)
    type: str = parameter(Choice("any", "deposit", "withdrawal"), "any")

    @property
    def span(self) -> timedelta:
        return timedelta(seconds=self.seconds)

    @property
    def needs(self) -> Needs:
        # More than `count` of them, for this event may be of the other type.
        deposits = None if self.type == "any" else self.type == "deposit"
        return Needs(deposits=deposits, last=self.count + 1, span=self.span)

    def watch(self) -> Watch:
        newest: deque[datetime] = deque(maxlen=self.count + 1)

        def observe(event: Event) -> bool:
            if self.type in {"any", "deposit" if event.is_deposit else "withdrawal"}:
                newest.append(event.at)
            return len(newest) > self.count and event.at - newest[0] <= self.span

        return observe


def parsed(kind: str, parameters: object) -> Kind:
    """The rule of this kind with these parameters, which may be untrusted.

    Raises:
        InvalidParameters: there is no such kind, or the parameters are invalid for it.
    """
    cls = Kind.known.get(kind)
    if cls is None:
        raise InvalidParameters({"kind": f"There is no kind {kind!r}."})
    return cls(**read(cls, parameters))


def raised(rule: Kind, stream: Iterable[Event]) -> bool:
    """Whether the last event of the stream raises the rule."""
    watch, last = rule.watch(), False
    for event in stream:
        last = watch(event)
    return last
