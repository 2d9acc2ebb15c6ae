"""System checks: the list of fields matches the table."""

from dataclasses import fields
from typing import Any

from django.core.checks import CheckMessage, Error, register

from transactions.files.columns import BY_NAME, NAMES
from transactions.models import Transaction
from transactions.operations import Draft

# Columns of the table that clients do not see.
OURS = {
    "full_name_index": "the blind index of full_name",
    "recorded_by": "for the rights of a service account",
    "version": "for optimistic locking",
}


@register("models")
def check_fields(**kwargs: Any) -> list[CheckMessage]:
    """The model, the draft and `transactions.files.columns` must have the same fields."""
    stored = {_known_as(field.attname) for field in Transaction._meta.concrete_fields} - set(OURS)
    drafted = {_known_as(field.name) for field in fields(Draft)}
    given = {name for name in NAMES if BY_NAME[name].importable}
    return [
        *_differences(stored, set(NAMES), "The table of transactions"),
        *_differences(drafted, given, "transactions.operations.Draft"),
    ]


def _known_as(name: str) -> str:
    """A column's name for clients: they name a wallet, the table has its id."""
    return "wallet" if name == "wallet_id" else name


def _differences(found: set[str], listed: set[str], where: str) -> list[CheckMessage]:
    told = [f"{where} has {name}, which the list of fields lacks." for name in found - listed]
    told += [f"{where} lacks {name}, which the list of fields has." for name in listed - found]
    hint = "docs/development.md lists the places to change."
    return [Error(text, hint=hint, id="fido.E003") for text in sorted(told)]
