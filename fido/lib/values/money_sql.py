"""The rules of money as database constraints, for every table that holds amounts."""

from django.db.models import Case, Q, When
from django.db.models.functions import Round

from fido.lib.values import money

UNUSUAL_DECIMALS = sorted(set(money.CURRENCIES.values()) - {2})


def has_the_currencys_decimals(column: str) -> Q:
    """ISO 4217's decimals. A new currency needs a migration unless it has 2."""
    whens = [
        When(
            currency__in=sorted(code for code, n in money.CURRENCIES.items() if n == decimals),
            then=Round(column, precision=decimals),
        )
        for decimals in UNUSUAL_DECIMALS
    ]
    return Q(**{column: Case(*whens, default=Round(column, precision=2))})


def currency_is_a_code() -> Q:
    return Q(currency__regex="^[A-Z]{3}$")
