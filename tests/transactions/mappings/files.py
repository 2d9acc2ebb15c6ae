"""The corpus of foreign CSV files, and what is in each, worked out by hand from the files' text."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
CARD: dict[str, Any] = {
    "columns": {
        "Date": {"role": "transaction_date"},
        "Description": {"role": "full_name"},
        "Amount": {"role": "transaction_amount"},
        "Category": {"role": "category"},
    },
    "constants": {"transaction_type": "debit"},
}
NUMBERED: dict[str, Any] = {
    "header": False,
    "columns": {
        "1": {"role": "transaction_date"},
        "2": {"role": "description"},
        "4": {"role": "transaction_amount"},
        "5": {"role": "transaction_type"},
    },
}


@dataclass(frozen=True)
class Expected:
    """`sums` are credits and debits by currency. `refused` rows are none of a movement.

    `mapping` is sent along; without one the file is recognised, or guessed where it is `guessed`.
    """

    rows: int
    sums: dict[str, tuple[str, str]] = field(default_factory=dict)
    refused: int = 0
    guessed: bool = False
    mapping: Any = None


RECOGNISED = {
    # Pending and cancelled orders have no total, and the header comes again at the end.
    "amazon.csv": Expected(3, {"USD": ("0", "45.76")}, refused=4),
    "capitalone.csv": Expected(2, {"USD": ("1000", "1000")}),
    "chase.csv": Expected(2, {"USD": ("500", "42.13")}),
    "gls.csv": Expected(1, {"EUR": ("0", "98.76")}),
    "mint.csv": Expected(4, {"USD": ("2000", "5000")}),
    "n26-fr.csv": Expected(2, {"EUR": ("328", "328")}),
    "outbank.csv": Expected(4, {"EUR": ("100", "135.89")}),
    "payoneer.csv": Expected(2, {"USD": ("120", "100")}),
    "schwab-checking.csv": Expected(4, {"USD": ("20", "235.27")}),
    "sparkasse_camt_v2.csv": Expected(2, {"EUR": ("0", "39.30")}),
    "stripe-default.csv": Expected(5, {"CAD": ("112.50", "0")}),
    "ubs-ch-fr_trimmed.csv": Expected(3, {"CHF": ("240", "210")}),
}
WITH_MAPPING = {
    "creditunion.csv": Expected(8, {"USD": ("0", "465000")}, mapping=CARD),
    "mint_headerless.csv": Expected(4, {"USD": ("2000", "5000")}, mapping=NUMBERED),
}
# What the file alone does not tell, without any mapping at hand.
NOT_GUESSED = {
    "amazon.csv": "amounts-without-sign",
    "creditunion.csv": "amounts-without-sign",
    "mint_headerless.csv": "unknown-columns",
    "payoneer.csv": "ambiguous-dates",
    "schwab-checking.csv": "ambiguous-currency",
    "stripe-default.csv": "amounts-without-sign",
}
ALL = {**RECOGNISED, **WITH_MAPPING}
GUESSED = [name for name in ALL if name not in NOT_GUESSED]


def content(name: str) -> bytes:
    return (CORPUS / name).read_bytes()


def text(name: str) -> str:
    data = content(name)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252")
