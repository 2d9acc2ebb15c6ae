"""Text in a CSV file that no spreadsheet executes."""

import re

# These may start a formula: its signs, including the full-width ones, after apostrophes of ours and
# invisible characters.
_UNSEEN = (
    "\\x00-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\\u034f\\u061c\\u1680\\u180e"
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufe00-\\ufe0f\\ufeff"
)
_FORMULA_AHEAD = f"(?='*[{_UNSEEN}]*[=+\\-@＝＋－＠])"
# A cell begins where the text does. A spreadsheet that splits at the semicolon or the tab, as in
# half of Europe, treats our quotes as text, so there a cell may also begin within the text.
_CELL_BEGINS = '(?:\\A|(?<=[\\t\\r\\n;"]))'
# Some spreadsheets skip a line break or a tab at the beginning; and empty text is not null.
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
    """Undo `armoured`. Other text stays as it is, except for such apostrophes."""
    return _ARMOUR.sub("", text)
