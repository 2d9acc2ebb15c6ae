"""What an import would do, told without doing any of it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from itertools import islice
from uuid import UUID

from accounts.models import User
from fido.lib.values import clock, money
from transactions.files.columns import IMPORTABLE
from transactions.imports import queries
from transactions.imports.checking import Checker, Fault, Values
from transactions.imports.encoding import Moved, Recipe
from transactions.imports.layout import Layout
from transactions.imports.models import MAX_ERRORS
from transactions.imports.proof import Proof
from transactions.imports.reading import Record, batches
from transactions.imports.source import recipe_of, records_of

# A request has no time for more.
MAX_ROWS = 50_000
SHOWN_ROWS = 20
BATCH_ROWS = 5_000


@dataclass
class Preview:
    """`errors` are those of rows that are refused for what they are; `recorded` and `similar` are
    lines. What is `recorded` already, or repeated in the file, would be refused as well. What is
    `similar` would be recorded: there is a transaction of that day, amount, kind and currency.

    `is_whole`: all of the file was read.
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
    proof: Proof = field(default_factory=Proof)


def preview(import_id: UUID, *, owner: User, layout: Layout, may_compare: bool) -> Preview:
    """The import of the spooled file, rehearsed for its first MAX_ROWS rows.

    `may_compare`: whoever asks may learn of transactions that the owner has.

    Raises:
        NotReadable, SpoolLost
    """
    found = Preview(layout, similar=[] if may_compare else None)
    rehearsal = _Rehearsal(recipe_of(owner, layout, owner.pk), found)
    with closing(records_of(import_id, layout, found.proof)) as records:
        for batch in batches(islice(records, MAX_ROWS), BATCH_ROWS):
            rehearsal.judge(batch)
        found.is_whole = next(records, None) is None
    if found.is_whole:
        found.proof.finish()
    return found


class _Rehearsal:
    def __init__(self, recipe: Recipe, found: Preview) -> None:
        self._recipe, self._found = recipe, found
        self._checker = Checker(recipe.layout, recipe.defaults, recipe.wallets, recipe.user_id)
        self._wallets = {id_: name for name, id_ in recipe.wallets.items()}
        self._seen: set[str] = set()

    def judge(self, batch: list[Record]) -> None:
        found, judged = self._found, [(line, self._checker.check(raw)) for line, raw in batch]
        found.rows_read += len(batch)
        good = [(line, values) for line, values in judged if isinstance(values, dict)]
        for line, faults in judged:
            if isinstance(faults, list):
                found.errors += [(line, fault) for fault in faults]
        del found.errors[MAX_ERRORS:]
        fresh = self._without_recorded(good)
        found.rows_acceptable += len(fresh)
        found.rows_refused += len(batch) - len(fresh)
        for line, values in fresh:
            self._count(line, values)
        self._compare(fresh)

    def _without_recorded(self, rows: list[tuple[int, Values]]) -> list[tuple[int, Values]]:
        ids = [values["external_id"] for _, values in rows if values["external_id"] is not None]
        taken = queries.external_ids_in_use(self._recipe.user_id, ids) | self._seen
        fresh = []
        for line, values in rows:
            if (id_ := values["external_id"]) in taken and id_ is not None:
                self._found.recorded.append(line)
                continue
            if id_ is not None:
                taken.add(id_)
                self._seen.add(id_)
            fresh.append((line, values))
        return fresh

    def _count(self, line: int, values: Values) -> None:
        found, day = self._found, values["transaction_date"].date()
        found.first = min(found.first or day, day)
        found.last = max(found.last or day, day)
        found.moved.setdefault(values["currency"], Moved()).add(values)
        if len(found.rows) < SHOWN_ROWS:
            found.rows.append({"line": line} | self._shown(values))

    def _shown(self, values: Values) -> Values:
        shown = {name: values[name] for name in IMPORTABLE}
        shown["transaction_date"] = clock.text(values["transaction_date"])
        shown["transaction_amount"] = money.text(values["transaction_amount"], values["currency"])
        if values["wallet"] is not None:
            shown["wallet"] = self._wallets[values["wallet"]]
        return shown

    def _compare(self, rows: list[tuple[int, Values]]) -> None:
        if self._found.similar is not None:
            places = queries.similar(self._recipe.user_id, [values for _, values in rows])
            self._found.similar += [rows[place][0] for place in places]
