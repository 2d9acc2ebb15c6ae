"""A mapping found in the file itself: by the names of its columns and by what its first rows say.

Where the file allows two readings that differ in money, sign or day, nothing is chosen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from fido.lib.values import clock, money
from transactions.mappings import amounts, dates, words
from transactions.mappings.mapping import AMOUNTS, TYPES, Column, ColumnMapping, Role, plain
from transactions.mappings.tables import Table, candidates, with_sample
from transactions.statements.values import Malformed

_DAYS = (
    *("%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%d/%m/%y", "%m/%d/%Y", "%m/%d/%y"),
    *("%d-%m-%Y", "%d-%m-%y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d"),
    *("%d %b %Y", "%d-%b-%Y", "%d-%b-%y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
)
_FORMATS = (None, *_DAYS, *(f"{day} {time}" for day in _DAYS for time in ("%H:%M", "%H:%M:%S")))
_CODE_IN_NAME = re.compile(r"[(\[]\s*([A-Z]{3})\s*[)\]]|\bin ([A-Z]{3})$")


class NotGuessed(ValueError):
    """The file does not tell; `code` is stable, and the detail says what a mapping has to say."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


@dataclass(frozen=True)
class Found:
    """A column of the file: its place, name and values."""

    place: int
    name: str
    values: tuple[str, ...]

    @property
    def filled(self) -> list[str]:
        return [value for value in self.values if value]


def guessed(head: str) -> tuple[ColumnMapping, Table]:
    """The mapping of a file that begins so, complete but for its encoding.

    Raises:
        NotGuessed
    """
    for table in candidates(head):
        if _Columns(table).are_a_header:
            columns = _Columns(with_sample(head, table))
            return _mapping(columns), columns.table
    raise NotGuessed(
        "unknown-columns",
        "The file was taken for CSV, because it is none of the other formats; but no line at its"
        " beginning names a column of dates and one of amounts in words that are known here. Send a"
        " mapping that says which column is what.",
    )


def draft(head: str) -> dict[str, Role]:
    """The columns of the likeliest table, with their roles as far as their names tell.

    It is for a person to complete. Empty: the file has no columns.
    """
    tables = list(candidates(head))
    known = next((each for each in tables if _Columns(each).are_a_header), None)
    table = known or max(tables, key=lambda each: len(each.header), default=None)
    if table is None:
        return {}
    columns = _Columns(table)
    roles: dict[str, Role] = {}
    for role in words.NAMES:
        if found := next(columns.named(role), None):
            roles.setdefault(found.name, role)
    for found in columns.descriptions():
        roles.setdefault(found.name, Role.DESCRIPTION)
    return {name: roles.get(name, Role.IGNORE) for name in table.header if name}


def completed(mapping: ColumnMapping, table: Table) -> ColumnMapping:
    """The mapping with the format of dates and the decimal sign, if the file has to tell them.

    Raises:
        NotGuessed
    """
    columns = dict(mapping.columns)
    found = {
        plain(name): _at(table, place) for place, name in reversed(list(enumerate(table.header)))
    }
    for name, column in columns.items():
        if column.role is Role.DATE and column.format is None and found[plain(name)].filled:
            columns[name] = replace(column, format=_format(found[plain(name)]))
    decimal, thousands = mapping.decimal, mapping.thousands
    used = [found[plain(name)] for name, column in columns.items() if column.role in AMOUNTS]
    if decimal is None and any(each.filled for each in used):
        decimal, usual = _signs(table.separator, used)
        thousands = usual if thousands is None else thousands
    return replace(mapping, columns=columns, decimal=decimal or ".", thousands=thousands)


def _at(table: Table, place: int) -> Found:
    values = tuple(row[place].strip() for row in table.sample)
    return Found(place, table.header[place], values)


class _Columns:
    """The columns of a table by what their names mean."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._names = [words.normalised(name) for name in table.header]

    @property
    def are_a_header(self) -> bool:
        roles = [role for role in (Role.SIGNED, Role.CREDIT, Role.DEBIT) if any(self.named(role))]
        return any(self.named(Role.DATE)) and bool(roles)

    def named(self, role: Role) -> Iterator[Found]:
        """The columns that may have this role, the likeliest first."""
        for name in words.NAMES[role]:
            if name in self._names:
                yield self.at(self._names.index(name))
        if role in AMOUNTS:
            yield from (
                self.at(n)
                for n, name in enumerate(self._names)
                if _without_code(name) in words.NAMES[role]
            )

    def at(self, place: int) -> Found:
        return _at(self.table, place)

    def people(self) -> list[str]:
        places = (n for n, name in enumerate(self._names) if name in words.PEOPLE)
        return [value for place in places for value in self.at(place).filled]

    def statuses(self) -> list[Found]:
        return [self.at(n) for n, name in enumerate(self._names) if name in words.STATUSES]

    def descriptions(self) -> list[Found]:
        return [self.at(n) for n, name in enumerate(self._names) if words.is_description(name)]


def _mapping(columns: _Columns) -> ColumnMapping:
    if not columns.table.sample:
        raise NotGuessed("no-rows", "There is a header, and no row below it that has its columns.")
    if len(set(columns.people())) > 1:
        raise NotGuessed(
            "several-people",
            "The rows are of several people, and would come in as one's. Send a file for each.",
        )
    date, format_ = _date(columns)
    chosen: dict[int, Column] = {date.place: Column(Role.DATE, format_)}
    moved, decimal, thousands = _amounts(columns)
    for found, column in moved:
        chosen.setdefault(found.place, column)
    constants = _currency(columns, chosen, [found for found, _ in moved])
    _rest(columns, chosen)
    stated: dict[str, Column] = {}
    for place, name in enumerate(columns.table.header):
        if name:
            stated.setdefault(name, chosen.get(place, Column(Role.IGNORE)))
    return ColumnMapping(
        columns=stated,
        delimiter=columns.table.separator,
        skip_lines=columns.table.skipped,
        decimal=decimal,
        thousands=thousands,
        constants=constants,
    )


def _date(columns: _Columns) -> tuple[Found, str | None]:
    refusal: NotGuessed | None = None
    for found in columns.named(Role.DATE):
        try:
            return found, _format(found)
        except NotGuessed as error:
            refusal = refusal or error
            if error.code == "ambiguous-dates":
                break
    assert refusal is not None
    raise refusal


def _format(found: Found) -> str | None:
    readings = _best(_FORMATS, date_reader, found.filled)
    if not readings:
        detail = f"The dates of column `{found.name}` are in no format that is known here."
        raise NotGuessed("unknown-dates", detail)
    if len(readings) > 1:
        raise NotGuessed(
            "ambiguous-dates",
            f"The dates of column `{found.name}` can be read with the day first or the month"
            " first. Send a mapping with their format, such as %d/%m/%Y.",
        )
    format_: str | None = readings[0]
    return format_


def date_reader(format_: str | None) -> Callable[[str], Any]:
    """What reads dates of this format, or of ISO 8601. It raises Malformed."""
    return dates.reader(format_) if format_ else _iso


def _iso(text: str) -> datetime:
    try:
        return clock.parse_moment(text)
    except clock.MalformedTime as error:
        raise Malformed(str(error)) from None


def _amounts(columns: _Columns) -> tuple[list[tuple[Found, Column]], str, str | None]:
    """The columns of amounts and types, the decimal sign, and the sign between thousands."""
    signed = next((each for each in columns.named(Role.SIGNED) if each.filled), None)
    sides = [
        (found, role)
        for role in (Role.CREDIT, Role.DEBIT)
        if (found := next(columns.named(role), None)) is not None
    ]
    # A card's statement may have an amount and its two sides; then the sides say more.
    used = [found for found, _ in sides] if len(sides) == 2 or signed is None else [signed]
    decimal, thousands = _signs(columns.table.separator, used)
    read = amounts.reader(decimal, thousands)
    if signed is None or len(sides) == 2:
        return (
            [(found, Column(role, negate=_is_negated(found, read))) for found, role in sides],
            (decimal),
            thousands,
        )
    return _single(columns, signed, _read_all(read, signed)), decimal, thousands


def _single(columns: _Columns, amount: Found, values: list[Decimal]) -> list[tuple[Found, Column]]:
    if any(value < 0 for value in values):
        return [(amount, Column(Role.SIGNED))]
    for found in columns.named(Role.TYPE):
        if found.filled and (meant := _types(found.filled)) is not None:
            return [(amount, Column(Role.AMOUNT)), (found, Column(Role.TYPE, values=meant or None))]
    raise NotGuessed(
        "amounts-without-sign",
        f"No amount of column `{amount.name}` is below zero, and no column says which are credits"
        " and which are debits. Send a mapping that does.",
    )


def _types(values: Iterable[str]) -> dict[str, str] | None:
    """What each word means, without those that need no saying; None: some are not known."""
    meant = _meant(values, {"credit": words.CREDITS, "debit": words.DEBITS})
    return meant and {word: kind for word, kind in meant.items() if plain(word) not in TYPES}


def _meant(values: Iterable[str], meanings: Mapping[str, Collection[str]]) -> dict[str, str] | None:
    found = {}
    for word in sorted(set(values)):
        name = words.normalised(word)
        meaning = next((each for each, names in meanings.items() if name in names), None)
        if meaning is None:
            return None
        found[word] = meaning
    return found


def _is_negated(found: Found, read: Callable[[str], Decimal]) -> bool:
    """Whether the column writes its debits below zero."""
    values = [value for value in _read_all(read, found) if value]
    return bool(values) and all(value < 0 for value in values)


def _signs(separator: str, columns: Sequence[Found]) -> tuple[str, str | None]:
    texts = [text for found in columns for text in found.filled]
    readings = _best(".,", lambda decimal: amounts.reader(decimal, None), texts)
    if not readings:
        raise NotGuessed("unknown-amounts", "The amounts are not numbers that can be read here.")
    if len(readings) > 1:
        raise NotGuessed(
            "ambiguous-amounts",
            "It cannot be told whether 1.234 means one or a thousand here. Send a mapping with the"
            " decimal sign.",
        )
    usual = "," if separator == ";" else "."
    if any(_tells(text) for text in texts):
        return readings[0], None
    # Nothing shows yet; a later 1,234 is refused rather than misread.
    return usual, ""


def _tells(text: str) -> bool:
    """Whether the text has a decimal sign, or one between thousands."""
    return re.search(r"\d[.,]\d", text) is not None


def _best(
    options: Iterable[Any], reader_of: Callable[[Any], Callable[[str], Any]], texts: Sequence[str]
) -> list[Any]:
    """The options that read the most texts, at least half; several only if they differ."""
    found: dict[tuple[Any, ...], list[Any]] = {}
    for option in options:
        read = reader_of(option)
        found.setdefault(tuple(_or_none(read, text) for text in texts), []).append(option)
    counts = {values: sum(value is not None for value in values) for values in found}
    most = max(counts.values(), default=0)
    if not most or 2 * most < len(texts):
        return []
    return [found[values][0] for values, count in counts.items() if count == most]


def _or_none(read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except Malformed:
        return None


def _read_all(read: Callable[[str], Decimal], found: Found) -> list[Decimal]:
    return [value for text in found.filled if (value := _or_none(read, text)) is not None]


def _currency(
    columns: _Columns, chosen: dict[int, Column], moved: Sequence[Found]
) -> dict[str, str]:
    """The currency as a constant, if no column has it: it is noted among the chosen."""
    for found in columns.named(Role.CURRENCY):
        codes = sum(map(_is_code, found.filled))
        if found.place not in chosen and codes and 2 * codes >= len(found.filled):
            chosen[found.place] = Column(Role.CURRENCY)
            return {}
    named = {code for found in moved if (code := _code_in(found.name))}
    if len(named) == 1:
        return {"currency": named.pop()}
    texts = (text for found in moved for text in found.filled)
    symbols = {symbol for text in texts for symbol in amounts.symbols(text)}
    if symbols and (code := {"€": "EUR", "£": "GBP"}.get("".join(symbols))) is None:
        raise NotGuessed(
            "ambiguous-currency",
            "The amounts have a symbol that several currencies use. Send a mapping with the"
            " currency among its constants.",
        )
    return {"currency": code} if symbols and code else {}


def _is_code(text: str) -> bool:
    try:
        return bool(money.parse_currency(text))
    except money.UnknownCurrency:
        return False


def _without_code(name: str) -> str | None:
    """`amount` of `amount eur` and of `amount in eur`; None: it names no currency."""
    base, _, code = name.rpartition(" ")
    return base.removesuffix(" in") if code.upper() in money.CURRENCIES else None


def _code_in(name: str) -> str | None:
    match = _CODE_IN_NAME.search(name)
    code = (match[1] or match[2]) if match else None
    return code if code in money.CURRENCIES else None


def _rest(columns: _Columns, chosen: dict[int, Column]) -> None:
    for role in (Role.NAME, Role.CATEGORY, Role.EXTERNAL_ID):
        for found in columns.named(role):
            if found.place in chosen or not found.filled:
                continue
            if role is not Role.EXTERNAL_ID or _tell_apart(found.values):
                chosen[found.place] = Column(role)
                break
    for found in columns.statuses():
        meant = _meant(found.values, {"booked": words.BOOKED, "pending": words.PENDING})
        if meant and found.place not in chosen:
            chosen[found.place] = Column(Role.STATUS, values=meant)
            break
    for found in columns.descriptions():
        chosen.setdefault(found.place, Column(Role.DESCRIPTION))


def _tell_apart(values: Sequence[str]) -> bool:
    """Whether each row has one of its own."""
    return all(values) and len(set(values)) == len(values)
