"""Text in a CSV file that no spreadsheet executes."""

import re

# What follows may be taken for a formula: the signs by which one begins, also full-width, behind
# apostrophes of ours and characters that nobody sees.
_UNSEEN = (
    "\\x00-\\x08\\x0b\\x0c\\x0e-\\x20\\x7f-\\xa0\\xad\\u034f\\u061c\\u1680\\u180e"
    "\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\ufe00-\\ufe0f\\ufeff"
)
_FORMULA_AHEAD = f"(?='*[{_UNSEEN}]*[=+\\-@＝＋－＠])"
# A cell begins where the text does. To a spreadsheet that splits at the semicolon or the tab, as in
# half of Europe, one may begin within the text as well: it takes our quotes for text.
_CELL_BEGINS = '(?:\\A|(?<=[\\t\\r\\n;"]))'
# Some pass over a line break or a tab at the beginning; and nothing at all is not null.
_BLANK_AHEAD = "(?='*(?:[\\t\\r\\n]|\\Z))"

_EXPOSED = re.compile(f"{_CELL_BEGINS}{_FORMULA_AHEAD}|\\A{_BLANK_AHEAD}")
_ARMOUR = re.compile(f"{_CELL_BEGINS}'{_FORMULA_AHEAD}|\\A'{_BLANK_AHEAD}")


def armoured(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula, and that is never empty.

    An apostrophe goes before what would begin one: `=cmd()` becomes `'=cmd()`, and `a;=1` becomes
    `a;'=1`. Apostrophes that stand there already get another one, so that `bare` gives every text
    back as it was.
    """
    return _EXPOSED.sub("'", text)


def bare(text: str) -> str:
    """The text that was `armoured`. What never was stays as it is, but for such apostrophes."""
    return _ARMOUR.sub("", text)
