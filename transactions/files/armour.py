"""Writes text to CSV so that no spreadsheet executes it."""

import re

# A formula may start with one of these signs, including the full-width ones, preceded by our
# apostrophes and invisible characters.
_UNSEEN = (
    "\\x00-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\\u034f\\u061c\\u1680\\u180e"
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufe00-\\ufe0f\\ufeff"
)
_FORMULA_AHEAD = f"(?='*[{_UNSEEN}]*[=+\\-@＝＋－＠])"
# A cell begins where the text does. A spreadsheet that splits at semicolons or tabs, as is common
# in Europe, treats our quotes as text, so for it a cell may also begin within the text.
_CELL_BEGINS = '(?:\\A|(?<=[\\t\\r\\n;"]))'
# Some spreadsheets skip a leading line break or tab. Empty text must differ from null.
_BLANK_AHEAD = "(?='*(?:[\\t\\r\\n]|\\Z))"

_EXPOSED = re.compile(f"{_CELL_BEGINS}{_FORMULA_AHEAD}|\\A{_BLANK_AHEAD}")
_ARMOUR = re.compile(f"{_CELL_BEGINS}'{_FORMULA_AHEAD}|\\A'{_BLANK_AHEAD}")


def armoured(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula, and that is never empty.

    An apostrophe is put before a formula: `=cmd()` becomes `'=cmd()`, and `a;=1` becomes `a;'=1`.
    Apostrophes already there get one more, so that `bare` restores every text.
    """
    return _EXPOSED.sub("'", text)


def bare(text: str) -> str:
    """Undo `armoured`. In other text, it removes only such apostrophes."""
    return _ARMOUR.sub("", text)
