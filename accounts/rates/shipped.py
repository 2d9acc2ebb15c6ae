"""The table that ships with Fido, used if no bank is configured. For demonstrations only."""

from functools import cache
from pathlib import Path

from accounts.rates.published import Letter, combined, parse
from accounts.rates.table import RateTable
from fido.lib.values import clock

FOLDER = Path(__file__).parent / "shipped_tables"
LETTERS: tuple[Letter, ...] = ("A", "C")


@cache
def shipped_table() -> RateTable:
    tables = {letter: parse(letter, (FOLDER / f"{letter}.json").read_bytes()) for letter in LETTERS}
    day = tables["A"].effective_date
    return RateTable(day, clock.midnight(day), "shipped", combined(tables))
