"""Finds the wallet that a body names: a transaction stores its id."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from rest_framework.exceptions import ErrorDetail, ValidationError

from accounts.wallets import queries
from transactions.models import Transaction
from transactions.queries import wallet_names

Wallets = Mapping[tuple[int, str], UUID]


def resolve(values: dict[str, Any], owner_id: int, wallets: Wallets | None = None) -> None:
    """Replace `wallet` in the values, if present, with `wallet_id`.

    `wallets` has open wallets by user and name, if many have been looked up together.

    Raises:
        ValidationError: the owner has no open wallet of this name.
    """
    if "wallet" not in values:
        return
    name = values.pop("wallet")
    values["wallet_id"] = None if name is None else _id(owner_id, name, wallets)


def resolve_edit(values: dict[str, Any], row: Transaction) -> None:
    """The same for an existing transaction. The name that it shows means its own wallet.

    That wallet may be closed, and another one may have its name by now.
    """
    if row.wallet_id and values.get("wallet") == wallet_names([row])[row.wallet_id]:
        del values["wallet"]
        values["wallet_id"] = row.wallet_id
    resolve(values, row.user_id)


def _id(owner_id: int, name: str, wallets: Wallets | None) -> UUID:
    key = (owner_id, name)
    found = (queries.open_ids_of([key]) if wallets is None else wallets).get(key)
    if found is None:
        raise ValidationError({"wallet": ErrorDetail("No such wallet.", "unknown-wallet")})
    return found
