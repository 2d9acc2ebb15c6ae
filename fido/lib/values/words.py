"""Words of a fixed list: which were meant, and what to say of others.

Messages name known words only: what was sent may be a misplaced name, or impossible to encode.
"""

import re
from collections import defaultdict
from collections.abc import Collection
from difflib import get_close_matches
from functools import lru_cache

# A longer word is no slip of the pen, and comparing it takes long.
LONGEST = 40
# By difflib's ratio, from 0 to 1.
LIKENESS = 0.75
_OTHER = re.compile(r"[^a-z0-9]")


class NotAChoice(ValueError):
    """Not one of the words; the message says which there are."""

    code = "invalid-choice"


def parse_choice(value: object, choices: Collection[str]) -> str:
    """The value, if it is one of the choices.

    Raises:
        NotAChoice: it is not.
    """
    if isinstance(value, str) and value in choices:
        return value
    raise NotAChoice(f"Must be one of: {', '.join(choices)}.")


def meant(word: object, known: Collection[str]) -> str | None:
    """The known word that is most like this one; None if none is.

    Case and `_` aside. The last part of one known word stands for it: `amount` for
    `transaction_amount`.
    """
    if isinstance(word, str) and 0 < len(word) <= LONGEST:
        return _meant(_bare(word), tuple(known))
    return None


def instead(word: object, known: Collection[str]) -> str:
    """A sentence: what was probably meant, or else what is known."""
    if near := meant(word, known):
        return f"Did you mean `{near}`?"
    return f"Known are: {', '.join(known)}." if known else "None is known here."


@lru_cache(maxsize=1000)
def _meant(word: str, known: tuple[str, ...]) -> str | None:
    by_bare = defaultdict(set)
    for each in known:
        by_bare[_bare(each)].add(each)
        by_bare[_bare(each.rpartition("_")[2])].add(each)
    near = get_close_matches(word, by_bare, 1, LIKENESS)
    found = by_bare[near[0]] if near else set()
    return found.pop() if len(found) == 1 else None


def _bare(word: str) -> str:
    return _OTHER.sub("", word.lower())
