"""What the access log says of those who change or delete other people's transactions."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from accounts.models import User
from accounts.operations import log_access
from fido.lib.values import clock
from transactions.files.columns import ATTRIBUTES, IMPORTABLE, NAMES, SECRET
from transactions.models import Transaction

# What a deletion tells of the row: nothing that is encrypted.
OPEN = [
    attribute
    for name, attribute in zip(NAMES, ATTRIBUTES, strict=True)
    if name in IMPORTABLE and name not in SECRET
]


def log_change(
    actor: User | None, *, before: Transaction, after: Transaction, fields: Iterable[str]
) -> None:
    """Log the fields before and after; of names and descriptions only that they were changed."""
    if actor is None or actor.pk == before.user_id:
        return
    details = {
        name: "changed" if name in SECRET else [_text(before, name), _text(after, name)]
        for name in fields
    }
    _log(actor, before, "change", details)


def log_deletion(actor: User | None, row: Transaction) -> None:
    """Log what is deleted."""
    if actor is not None and actor.pk != row.user_id:
        _log(actor, row, "deletion", {name: _text(row, name) for name in OPEN})


def _log(actor: User, row: Transaction, what: str, details: dict[str, Any]) -> None:
    log_access(
        actor=actor,
        subject_id=row.user_id,
        what=f"{what} of transaction {row.pk}",
        route="api",
        details=details,
    )


def _text(row: Transaction, name: str) -> str | None:
    value = getattr(row, name)
    if isinstance(value, datetime):
        return clock.text(value)
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return None if value is None else str(value)
