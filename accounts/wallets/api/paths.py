"""Looks up the wallet that a path names."""

from rest_framework.request import Request

from accounts.api.authentication import caller
from accounts.wallets import names, queries
from accounts.wallets.models import Wallet
from fido.lib.api.schema import path_parameter
from fido.lib.values.errors import NotFound

WALLET_NAME = path_parameter(
    {"type": "string", "minLength": 1, "maxLength": names.MAX_LENGTH},
    "holiday",
    "The name of one of your wallets.",
)


def wallet_at(request: Request, name: str) -> Wallet:
    """The caller's open wallet of this name.

    Raises:
        NotFound: they have no such wallet, or the name is not valid.
    """
    wallet = queries.open_wallet(caller(request).pk, wallet_name(name))
    if wallet is None:
        raise NotFound()
    return wallet


def wallet_name(text: str) -> str:
    """The normalised name. Raises NotFound if it is not a valid wallet name."""
    try:
        return names.parse(text)
    except names.MalformedName:
        raise NotFound() from None
