"""Files of many people, and ways to look at what became of them."""

import json
import random
from typing import Any

from tests.client import ApiClient
from tests.imports import HEADER, csv
from transactions.models import Transaction

COLUMNS = f"{HEADER},user_id,external_id,wallet"
MANY = {"by_user": "true"}
MAPPING = {
    "columns": {
        "Kunde": {"role": "user_id"},
        "Tag": {"role": "transaction_date", "format": "%d.%m.%Y"},
        "Betrag": {"role": "signed_amount"},
    },
    "decimal": ",",
}
FOREIGN = "Kunde;Tag;Betrag"
MAPPED = MANY | {"mapping": json.dumps(MAPPING)}


def rows(*lines: str) -> bytes:
    """Amount, user, external id, wallet: credits, and debits below zero."""
    cells = [line.split(",") for line in lines]
    kinds = ["debit" if amount.startswith("-") else "credit" for amount, *_ in cells]
    return csv(
        *(
            ",".join(["2026-01-31", amount.lstrip("-"), kind, *rest])
            for (amount, *rest), kind in zip(cells, kinds, strict=True)
        ),
        header=COLUMNS,
    )


def foreign(*lines: tuple[ApiClient, str]) -> bytes:
    return csv(*(f"{who.user_id};31.01.2026;{amount}" for who, amount in lines), header=FOREIGN)


def amounts(owner: ApiClient) -> list[float]:
    found = Transaction.objects.filter(user_id=owner.user_id)
    return sorted(float(row.transaction_amount) for row in found)


def drawn(crowd: list[ApiClient], seed: int) -> list[str]:
    """Sixty rows: some of nobody, some with ids that come twice, some that a wallet refuses."""
    draw = random.Random(seed)
    ids = [*(str(each.user_id) for each in crowd), "", "999999999"]
    return [
        f"{draw.randint(-40, 30) or 1},{draw.choice(ids)},{draw.choice(['', 'a', 'b', 'c'])},"
        f"{draw.choice(['', 'main'])}"
        for _ in range(60)
    ]


def recorded(owner: ApiClient) -> list[tuple[Any, ...]]:
    found = Transaction.objects.filter(user_id=owner.user_id)
    fields = ("transaction_amount", "transaction_type", "external_id", "wallet__name")
    return sorted(found.values_list(*fields), key=str)
