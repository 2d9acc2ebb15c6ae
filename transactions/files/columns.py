"""The fields of a transaction, each defined once.

Export, import, the API's answers, PUT, the admin and the help texts use this list; a test compares
it with the model, the draft, the serializer and the schema. docs/development.md says how to add a
field. It does not import Django, because the processes that encode imports use it as well.
"""

from dataclasses import dataclass

from accounts.limits import MAX_NAME_LENGTH
from accounts.wallets import names


@dataclass(frozen=True, kw_only=True)
class Column:
    """A field as clients see it.

    `importable`: a client or a file may set it; `required`: must set it. `null`: it may be null.
    `free_text`: people type it, up to `max_length` characters, so a CSV has to armour it against
    formulas. `secret`: encrypted, and masked for those who may not read it.
    """

    name: str
    importable: bool = True
    required: bool = False
    null: bool = False
    free_text: bool = False
    secret: bool = False
    max_length: int | None = None
    help_text: str = ""


def _free_text(name: str, max_length: int, help_text: str = "", *, secret: bool = False) -> Column:
    return Column(
        name=name,
        null=True,
        free_text=True,
        secret=secret,
        max_length=max_length,
        help_text=help_text,
    )


# In the order that answers and files use.
COLUMNS = (
    Column(name="id", importable=False),
    Column(name="user_id", importable=False),
    _free_text("full_name", MAX_NAME_LENGTH, "Default: the profile's.", secret=True),
    Column(name="transaction_date", required=True),
    Column(name="transaction_amount", required=True),
    Column(name="transaction_type", required=True),
    Column(name="currency", help_text="Default: the user's."),
    _free_text("description", 1000, secret=True),
    _free_text("external_id", 255),
    _free_text("wallet", names.MAX_LENGTH, "The name of the wallet whose balance it moves."),
    _free_text("category", 50, "What it was for, in the client's own words."),
    Column(name="created_at", importable=False),
    Column(name="updated_at", importable=False),
)

BY_NAME = {column.name: column for column in COLUMNS}
NAMES = tuple(BY_NAME)
IMPORTABLE = tuple(column.name for column in COLUMNS if column.importable)
REQUIRED = tuple(column.name for column in COLUMNS if column.required)
OPTIONAL = tuple(name for name in IMPORTABLE if name not in REQUIRED)
FREE_TEXT = tuple(column.name for column in COLUMNS if column.free_text)
SECRET = tuple(column.name for column in COLUMNS if column.secret)
NULLABLE = tuple(column.name for column in COLUMNS if column.null)
# The model's attribute, and the table's column, that each value comes from.
ATTRIBUTES = tuple("wallet_id" if name == "wallet" else name for name in NAMES)


def max_length(name: str) -> int:
    length = BY_NAME[name].max_length
    assert length is not None
    return length


def fitting(text: str | None, name: str) -> str | None:
    """The text, cut if it is longer than the column."""
    return None if text is None else cut(text, max_length(name))


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def sentence() -> str:
    """The columns that a file may have, as a sentence for people."""
    return f"Columns: {', '.join(REQUIRED)}; optional: {', '.join(OPTIONAL)}."
