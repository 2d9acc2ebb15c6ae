"""What an import would do, told without doing any of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import islice
from operator import itemgetter
from uuid import UUID

from accounts.models import User
from fido.lib.values import clock, money
from transactions.files.columns import IMPORTABLE
from transactions.imports import queries
from transactions.imports.checking import Checker, Fault, Values
from transactions.imports.encoding import Moved
from transactions.imports.layout import Layout
from transactions.imports.models import MAX_ERRORS
from transactions.imports.people import people_of
from transactions.imports.proof import Proof
from transactions.imports.shares import Person, Share
from transactions.imports.source import records_of

# A request has no time for more.
MAX_ROWS = 50_000
SHOWN_ROWS = 20


# A line, whose it is, and its values.
Judged = tuple[int, Person, Values]


@dataclass
class Preview:
    """`errors` are those of rows that are refused for what they are; `recorded` and `similar` are
    lines. What is `recorded` already, or repeated in the file, would be refused as well. What is
    `similar` would be recorded: there is a transaction of that day, amount, kind and currency.

    `is_whole`: all of the file was read. `users` are those for whom rows would be recorded.
    """

    layout: Layout
    is_whole: bool = True
    rows: list[Values] = field(default_factory=list)
    rows_read: int = 0
    rows_acceptable: int = 0
    rows_refused: int = 0
    errors: list[tuple[int, Fault]] = field(default_factory=list)
    recorded: list[int] = field(default_factory=list)
    similar: list[int] | None = None
    first: date | None = None
    last: date | None = None
    moved: dict[str, Moved] = field(default_factory=dict)
    users: set[int] = field(default_factory=set)
    proof: Proof = field(default_factory=Proof)


def preview(
    import_id: UUID, *, owner: User, layout: Layout, sender: User, may_compare: bool
) -> Preview:
    """The import of the spooled file, rehearsed for its first MAX_ROWS rows.

    `may_compare`: the sender may learn of transactions that others have. The name in the profile of
    somebody else is not shown to them.

    Raises:
        NotReadable, SpoolLost
    """
    found = Preview(layout, similar=[] if may_compare else None)
    rehearsal = _Rehearsal(layout, sender, found)
    people = people_of(layout, owner, sender.pk)
    with closing(records_of(import_id, layout, found.proof)) as records:
        for batch in people.batches(islice(records, MAX_ROWS)):
            rehearsal.judge(batch)
        found.is_whole = next(records, None) is None
    if found.is_whole:
        found.proof.finish()
    return found


class _Rehearsal:
    def __init__(self, layout: Layout, sender: User, found: Preview) -> None:
        self._sender_id, self._found = sender.pk, found
        self._checker = Checker(layout)
        self._seen: set[tuple[int, str]] = set()

    def judge(self, batch: list[Share]) -> None:
        found = self._found
        fresh: list[Judged] = []
        for share in batch:
            fresh += self._judged(share)
            found.rows_read += len(share.records)
        # The shares are by user, and people read lines.
        found.errors.sort(key=lambda error: error[0])
        del found.errors[MAX_ERRORS:]
        found.recorded.sort()
        (found.similar or []).sort()
        found.rows_acceptable += len(fresh)
        found.rows_refused = found.rows_read - found.rows_acceptable
        for line, person, values in sorted(fresh, key=itemgetter(0)):
            self._count(line, person, values)

    def _judged(self, share: Share) -> list[Judged]:
        """Those that would be recorded."""
        person = self._as_seen(share.person)
        good = []
        for line, raw in share.records:
            checked = self._checker.check(raw, person)
            if isinstance(checked, dict):
                good.append((line, person, checked))
            else:
                self._found.errors += [(line, fault) for fault in checked]
        if person.user_id is None:
            return []
        fresh = self._without_recorded(person.user_id, good)
        self._compare(person.user_id, fresh)
        return fresh

    def _as_seen(self, person: Person) -> Person:
        """The person as the sender may see them: without the name in somebody else's profile."""
        if person.user_id in {None, self._sender_id}:
            return person
        return replace(person, defaults={**person.defaults, "full_name": None})

    def _without_recorded(self, user_id: int, rows: list[Judged]) -> list[Judged]:
        ids = [values["external_id"] for *_, values in rows if values["external_id"] is not None]
        taken = queries.external_ids_in_use(user_id, ids)
        fresh = []
        for row in rows:
            line, _, values = row
            if (id_ := values["external_id"]) is None:
                fresh.append(row)
            elif id_ in taken or (user_id, id_) in self._seen:
                self._found.recorded.append(line)
            else:
                self._seen.add((user_id, id_))
                fresh.append(row)
        return fresh

    def _count(self, line: int, person: Person, values: Values) -> None:
        found, day = self._found, values["transaction_date"].date()
        found.first = min(found.first or day, day)
        found.last = max(found.last or day, day)
        found.moved.setdefault(values["currency"], Moved()).add(values)
        assert person.user_id is not None
        found.users.add(person.user_id)
        if len(found.rows) < SHOWN_ROWS:
            found.rows.append({"line": line, "user_id": person.user_id} | _shown(person, values))

    def _compare(self, user_id: int, rows: list[Judged]) -> None:
        if self._found.similar is not None:
            places = queries.similar(user_id, [values for *_, values in rows])
            self._found.similar += [rows[place][0] for place in places]


def _shown(person: Person, values: Values) -> Values:
    shown = {name: values[name] for name in IMPORTABLE}
    shown["transaction_date"] = clock.text(values["transaction_date"])
    shown["transaction_amount"] = money.text(values["transaction_amount"], values["currency"])
    if values["wallet"] is not None:
        shown["wallet"] = next(
            name for name, id_ in person.wallets.items() if id_ == values["wallet"]
        )
    return shown
