"""What was sent, what came back, and what was read: the history that the checker judges.

A *book* holds values by tag: a user's transactions by their second, the same of its wallet, and its
profile. A write sets values in books, or removes them (None). Moments are `time.monotonic()`.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum

# A signed amount, below zero for a debit; or the name in a profile.
Value = Decimal | str
Effects = Mapping[str, Mapping[str, Value | None]]
State = Mapping[str, Mapping[str, Value]]


class Fate(Enum):
    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # nothing was done, for certain
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Attempt:
    """One request for a write: when it was over, and what the answer told of its result."""

    ended: float
    fate: Fate
    told: str = ""


@dataclass
class Write:
    """Something to be done once, however often it is sent."""

    what: str
    began: float
    effects: Effects
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def fate(self) -> Fate:
        fates = {attempt.fate for attempt in self.attempts} or {Fate.UNKNOWN}
        if Fate.ACKNOWLEDGED in fates:
            return Fate.ACKNOWLEDGED
        return Fate.UNKNOWN if Fate.UNKNOWN in fates else Fate.REFUSED

    @property
    def answered(self) -> float | None:
        """When it was first acknowledged."""
        ends = [each.ended for each in self.attempts if each.fate is Fate.ACKNOWLEDGED]
        return min(ends, default=None)

    @property
    def told(self) -> set[str]:
        return {each.told for each in self.attempts if each.fate is Fate.ACKNOWLEDGED}


@dataclass(frozen=True)
class Read:
    book: str
    what: str
    began: float
    ended: float


@dataclass(frozen=True)
class Page(Read):
    """All values of the book whose tags are `floor` or greater."""

    shown: Mapping[str, Value]
    floor: str = ""


@dataclass(frozen=True)
class Sums(Read):
    """Sums over the whole book: `count`, `credit`, `debit`, or `balance`."""

    shown: Mapping[str, Decimal]


class History:
    """Filled by many threads."""

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self.reads: list[Read] = []
        # What no answer may be, whatever goes wrong.
        self.complaints: list[str] = []
        self._lock = threading.Lock()

    def begin(self, write: Write) -> Write:
        with self._lock:
            self.writes.append(write)
        return write

    def attempted(self, write: Write, attempt: Attempt) -> None:
        with self._lock:
            write.attempts.append(attempt)

    def saw(self, *reads: Read) -> None:
        with self._lock:
            self.reads.extend(reads)

    def complain(self, text: str) -> None:
        with self._lock:
            self.complaints.append(text)
