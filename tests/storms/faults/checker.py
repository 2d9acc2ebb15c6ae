"""Judges a history: may these reads, and what is stored at its end, come from these writes?

Known are the state before, which nobody was writing to, and the state after it. A value that a
write set may be seen from its beginning on. It must be seen, or something that overwrote it, by
every read that begins after the write was acknowledged.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from math import inf

from tests.storms.faults.history import Fate, History, Page, Read, State, Sums, Value, Write

ZERO = Decimal(0)


def _at_least_zero(value: Value) -> Decimal:
    assert isinstance(value, Decimal)
    return max(value, ZERO)


def _amount(value: Value) -> Decimal:
    assert isinstance(value, Decimal)
    return value


# What a value adds to each sum.
MEASURES: dict[str, Callable[[Value], Decimal]] = {
    "count": lambda value: Decimal(1),
    "credit": _at_least_zero,
    "debit": lambda value: _at_least_zero(-_amount(value)),
    "balance": _amount,
}


def violations(
    before: State, history: History, after: Iterable[tuple[str, str, Value]]
) -> list[str]:
    """A sentence for each rule that was broken. `after` has (book, tag, value)."""
    return list(Judge(before, history, after).judge())


class Judge:
    def __init__(
        self, before: State, history: History, after: Iterable[tuple[str, str, Value]]
    ) -> None:
        self.before, self.history = before, history
        self.after: dict[str, dict[str, list[Value]]] = defaultdict(lambda: defaultdict(list))
        for book, tag, value in after:
            self.after[book][tag].append(value)
        # The writes of each value that may have been done, in the order in which they began.
        self.writes: dict[str, dict[str, list[Write]]] = defaultdict(lambda: defaultdict(list))
        for write in sorted(history.writes, key=lambda each: each.began):
            if write.fate is not Fate.REFUSED:
                self._enter(write)
        self._forget_what_was_never_done()
        self._still: dict[tuple[str, str], Decimal] = {}

    def _enter(self, write: Write) -> None:
        for book, values in write.effects.items():
            for tag in values:
                self.writes[book][tag].append(write)

    def _forget_what_was_never_done(self) -> None:
        """No read may have seen a write that got no answer and has left nothing."""
        for book, by_tag in self.writes.items():
            for tag, writes in by_tag.items():
                (first, *more) = writes
                if not more and first.fate is Fate.UNKNOWN and not self._is_done(first, book, tag):
                    by_tag[tag] = []

    def _is_done(self, write: Write, book: str, tag: str) -> bool:
        value = write.effects[book][tag]
        return self.after[book][tag] == ([] if value is None else [value])

    def judge(self) -> Iterator[str]:
        yield from self.history.complaints
        for write in self.history.writes:
            yield from self._once(write)
        for book in self.before.keys() | self.writes.keys() | self.after.keys():
            tags = self.before.get(book, {}).keys() | self.writes[book].keys()
            for tag in sorted(tags | self.after[book].keys()):
                yield from self._kept(book, tag, self.after[book][tag])
        for read in self.history.reads:
            yield from self._page(read) if isinstance(read, Page) else self._sums(read)

    def _once(self, write: Write) -> Iterator[str]:
        if len(write.told) > 1:
            yield f"one key, several results: {write.what} was told {sorted(write.told)}"
        alone = [
            self._is_done(write, book, tag)
            for book, values in write.effects.items()
            for tag in values
            if len(self.writes[book].get(tag, [])) < 2
        ]
        if write.fate is Fate.UNKNOWN and len(set(alone)) > 1:
            yield f"half done: {write.what}: {sum(alone)} of {len(alone)} values"

    def _kept(self, book: str, tag: str, values: list[Value]) -> Iterator[str]:
        if len(values) > 1:
            yield f"stored twice: {tag} of {book}: {values}"
        value = values[0] if values else None
        if value not in (may_be := self.possible(book, tag, inf, inf)):
            yield f"{_fault(value, 'stored')}: {tag} of {book} is {value}, and may be {may_be}"

    def possible(self, book: str, tag: str, began: float, ended: float) -> list[Value | None]:
        """What a read of that time may see."""
        writes = self.writes[book].get(tag, [])
        # Acknowledged before the read began: the read sees one of these, or something later.
        known = [write for write in writes if (write.answered or inf) < began]
        seen: list[Value | None] = [] if known else [self.before.get(book, {}).get(tag)]
        for write in writes:
            done_by = write.answered or inf
            overwritten = any(later.began > done_by for later in known)
            if write.began < ended and not overwritten:
                seen.append(write.effects[book][tag])
        return seen

    def _page(self, read: Page) -> Iterator[str]:
        initial, writes = self.before.get(read.book, {}), self.writes[read.book]
        tags = read.shown.keys() | {tag for tag in initial if tag >= read.floor}
        for tag in sorted(tags | {tag for tag in writes if tag >= read.floor}):
            value = read.shown.get(tag)
            if value not in (may_be := self.possible(read.book, tag, read.began, read.ended)):
                yield f"{_of(read)} {_fault(value, 'read')}: {tag} is {value}, and may be {may_be}"

    def _sums(self, read: Read) -> Iterator[str]:
        assert isinstance(read, Sums)
        for name, shown in read.shown.items():
            least = most = self._unwritten(read.book, name)
            for tag in self.writes[read.book]:
                values = self.possible(read.book, tag, read.began, read.ended)
                parts = [ZERO if value is None else MEASURES[name](value) for value in values]
                least, most = least + min(parts), most + max(parts)
            if not least <= shown <= most:
                yield f"{_of(read)} stale or wrong: {name} is {shown}, not {least} to {most}"

    def _unwritten(self, book: str, name: str) -> Decimal:
        """The sum over the values that no write concerns."""
        if (book, name) not in self._still:
            values, written = self.before.get(book, {}), self.writes[book]
            parts = (MEASURES[name](value) for tag, value in values.items() if tag not in written)
            self._still[book, name] = sum(parts, ZERO)
        return self._still[book, name]


def _fault(value: Value | None, done: str) -> str:
    return f"not {done}" if value is None else f"wrongly {done}"


def _of(read: Read) -> str:
    return f"{read.what} of {read.book} from {read.began:.3f} to {read.ended:.3f},"
