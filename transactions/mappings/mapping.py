"""A mapping: what each column of a foreign CSV is, and how it writes dates and amounts."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from enum import StrEnum
from hashlib import blake2b
from typing import Any

from fido.lib.values import money
from transactions.mappings import dates

MAX_COLUMNS = 200
MAX_SKIPPED_LINES = 1_000
# As Python names them.
_ENCODINGS = re.compile(
    r"ascii|utf-(8(-sig)?|16(-(le|be))?)|cp\d+|iso8859-\d+|mac-\w+|koi8-[rtu]|shift_jis|gb\w+|big5"
    r"|euc_(jp|kr)"
)
# Of a name or a word in a mapping, in characters.
LONGEST = 100


class Role(StrEnum):
    """What a column holds."""

    DATE = "transaction_date"
    AMOUNT = "transaction_amount"
    TYPE = "transaction_type"
    SIGNED = "signed_amount"
    CREDIT = "credit_amount"
    DEBIT = "debit_amount"
    CURRENCY = "currency"
    NAME = "full_name"
    DESCRIPTION = "description"
    EXTERNAL_ID = "external_id"
    CATEGORY = "category"
    WALLET = "wallet"
    STATUS = "status"
    USER_ID = "user_id"
    IGNORE = "ignore"


AMOUNTS = (Role.AMOUNT, Role.SIGNED, Role.CREDIT, Role.DEBIT)
# Several columns may have them.
SHARED = (Role.DESCRIPTION, Role.IGNORE)
# Names and descriptions are secret, and a mapping is not: they come from columns alone.
CONSTANTS = ("transaction_type", "currency", "category", "wallet")
TYPES = ("credit", "debit")
STATES = ("booked", "pending")
# What the words of a column may mean, by its role.
MEANINGS = {Role.TYPE: TYPES, Role.STATUS: STATES}
SEPARATORS = (",", ";", "\t", "|")
POINTS = (".", ",")
GROUPS = ("", ".", ",", " ", "'")


class InvalidMapping(ValueError):
    """The mapping cannot be used. `faults` are sentences that quote nothing but the mapping."""

    def __init__(self, *faults: str) -> None:
        super().__init__(" ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Column:
    """What a column holds.

    `format` is a date's, in strptime's letters; None: ISO 8601. `values` says what the file's words
    mean: credit or debit for a type, booked or pending for a status. `negate` turns the sign of
    amounts around.
    """

    role: Role
    format: str | None = None
    values: Mapping[str, str] | None = None
    negate: bool = False


@dataclass(frozen=True)
class ColumnMapping:
    """All about a foreign CSV; what is None is found in the file.

    `skip_lines` come before the header. Without a `header`, columns are named by number: "1", "2".
    `thousands` of "": none may be there. `constants` hold for all rows.
    """

    columns: Mapping[str, Column]
    encoding: str | None = None
    delimiter: str | None = None
    skip_lines: int | None = None
    header: bool = True
    decimal: str | None = None
    thousands: str | None = None
    constants: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """The same for every file that has exactly these columns, in whatever order."""
        return fingerprint_of(self.columns)

    def as_json(self) -> dict[str, Any]:
        columns = {name: _stated(column) for name, column in self.columns.items()}
        return _stated(self) | {"columns": columns}


def _stated(of: Any) -> dict[str, Any]:
    """What differs from the default."""
    return {
        each.name: value
        for each in fields(of)
        if (value := getattr(of, each.name)) != each.default and value != {}
    }


def fingerprint_of(columns: Iterable[str]) -> str:
    names = "\x1f".join(sorted({plain(name) for name in columns}))
    return blake2b(names.encode(errors="surrogatepass"), digest_size=16).hexdigest()


def plain(name: str) -> str:
    """A column's name as it is compared."""
    return " ".join(name.casefold().split())


def parsed(given: object) -> ColumnMapping:
    """The mapping that this JSON value describes.

    Raises:
        InvalidMapping
    """
    shape = list(_faults_of_shape(given))
    if shape or not isinstance(given, dict):
        raise InvalidMapping(*shape)
    columns = {
        name: Column(**{**_given(column), "role": Role(column["role"])})
        for name, column in given["columns"].items()
    }
    mapping = ColumnMapping(**{**_given(given), "columns": columns})
    if faults := [
        *_faults_of_columns(mapping),
        *_faults_of_roles(mapping),
        *_faults_of_signs(mapping),
    ]:
        raise InvalidMapping(*faults)
    return mapping


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """What is not null, which is as if it were absent."""
    return {name: value for name, value in values.items() if value is not None}


def _faults_of_shape(given: object) -> Iterator[str]:
    if not isinstance(given, dict):
        yield "A mapping is a JSON object."
        return
    yield from _unknown("A mapping", given, fields(ColumnMapping))
    yield from _misfits("", given, _FITS)
    columns = given.get("columns")
    if not isinstance(columns, dict) or not 0 < len(columns) <= MAX_COLUMNS:
        yield f"`columns` is an object with 1 to {MAX_COLUMNS} columns by name."
        return
    for name, column in columns.items():
        where = f"Column `{name[:LONGEST]}`"
        if not isinstance(column, dict) or column.get("role") not in list(Role):
            yield f"{where}: it has a `role`, one of: {', '.join(Role)}."
        else:
            yield from _unknown(where, column, fields(Column))
            yield from faults_of(column, f"{where}: ")


def faults_of(column: Mapping[str, Any], where: str = "") -> Iterator[str]:
    """What is wrong with a column's values, given as in a mapping's JSON; its role is known."""
    misfits = list(_misfits(where, column, _FITS_A_COLUMN))
    yield from misfits
    meanings = MEANINGS.get(column["role"], ())
    if not misfits and not set((column.get("values") or {}).values()) <= set(meanings):
        yield f"{where}its words mean {' or '.join(meanings) or 'nothing'}."


def _unknown(where: str, given: Mapping[str, Any], known: Iterable[Field[Any]]) -> Iterator[str]:
    names = [each.name for each in known]
    for name in given:
        if name not in names:
            yield f"{where} has no `{name[:LONGEST]}`; it may have: {', '.join(names)}."


def _misfits(where: str, given: Mapping[str, Any], fits: Mapping[str, Fits]) -> Iterator[str]:
    for name, (test, sentence) in fits.items():
        if name in given and given[name] is not None and not test(given[name]):
            yield f"{where}`{name}` is {sentence}."


def _is_short(text: object) -> bool:
    return isinstance(text, str) and len(text) <= LONGEST


def _is_count(number: object) -> bool:
    return type(number) is int and 0 <= number <= MAX_SKIPPED_LINES


def _are_texts(given: object) -> bool:
    return isinstance(given, dict) and all(map(_is_short, given.values()))


Fits = tuple[Callable[[Any], bool], str]
_FITS: Mapping[str, Fits] = {
    "encoding": (lambda name: _is_short(name) and is_encoding(name), "a known one, such as utf-8"),
    "delimiter": (lambda sign: sign in SEPARATORS, "a comma, a semicolon, a tab or |"),
    "skip_lines": (_is_count, f"a number from 0 to {MAX_SKIPPED_LINES:,}"),
    "header": (lambda flag: type(flag) is bool, "true or false"),
    "decimal": (lambda sign: sign in POINTS, "a point or a comma"),
    "thousands": (lambda sign: sign in GROUPS, "a point, a comma, a space, an apostrophe or empty"),
    "constants": (_are_texts, "an object of short texts by name"),
}
_FITS_A_COLUMN: Mapping[str, Fits] = {
    "format": (
        lambda text: _is_short(text) and dates.is_format(text),
        "a date's, such as %d.%m.%Y",
    ),
    "values": (
        _are_texts,
        "an object that says of each word what it means",
    ),
    "negate": (lambda flag: type(flag) is bool, "true or false"),
}


def _faults_of_columns(mapping: ColumnMapping) -> Iterator[str]:
    names = [plain(name) for name in mapping.columns]
    if len(set(names)) < len(names):
        yield "Two columns have the same name."
    if not mapping.header and not all(map(_is_number, names)):
        yield 'Without a header, columns are named by number: "1", "2".'


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 4 and name != "0"


def _faults_of_signs(mapping: ColumnMapping) -> Iterator[str]:
    if mapping.decimal is not None and mapping.decimal == mapping.thousands:
        yield "The decimal and the thousands sign are the same."
    if unknown := sorted(set(mapping.constants) - set(CONSTANTS)):
        yield f"`{unknown[0][:LONGEST]}` cannot be a constant: {', '.join(CONSTANTS)} can."
    if mapping.constants.get("transaction_type", TYPES[0]) not in TYPES:
        yield "The constant transaction_type is credit or debit."
    try:
        money.parse_currency(mapping.constants.get("currency", "EUR"))
    except money.UnknownCurrency as error:
        yield f"The constant currency: {error}"


def _faults_of_roles(mapping: ColumnMapping) -> Iterator[str]:
    roles = [column.role for column in mapping.columns.values()]
    for role in sorted(set(roles) - set(SHARED)):
        if roles.count(role) > 1:
            yield f"Two columns are the {role}."
    if Role.DATE not in roles:
        yield f"No column is the {Role.DATE}."
    amounts = {role for role in roles if role in AMOUNTS}
    if not amounts:
        yield f"No column is an amount: {', '.join(AMOUNTS)}."
    if len(amounts) > 1 and amounts != {Role.CREDIT, Role.DEBIT}:
        yield "Amounts are in one column, or in a credit_amount and a debit_amount."
    types = (Role.TYPE in roles) + ("transaction_type" in mapping.constants)
    if Role.AMOUNT in roles and types != 1:
        yield "A transaction_amount needs one column or constant for the transaction_type."
    if Role.AMOUNT not in roles and types:
        yield "A transaction_type belongs to a transaction_amount: the other amounts say it."


def is_encoding(name: str) -> bool:
    """Whether it is one that files of text have; Python knows others, such as unicode_escape."""
    try:
        return bool(_ENCODINGS.fullmatch(codecs.lookup(name).name))
    except (LookupError, ValueError):
        return False
