"""The rules of money as database constraints, for every table that holds amounts."""

from typing import Any

from django.db.models import Case, Q, Value, When
from django.db.models.functions import Round

from fido.lib.values import money

UNUSUAL_DECIMALS = sorted(set(money.CURRENCIES.values()) - {2})


def has_the_currencys_decimals(column: str) -> Q:
    """ISO 4217's decimals. A new currency needs a migration unless it has 2.

    Lists of codes are one pattern each: PostgreSQL reads a table's constraints anew for each
    statement, which takes it some 2 µs for 1,000 characters of `pg_constraint.conbin`.
    """
    whens = [
        When(currency__regex=f"^({'|'.join(_with(decimals))})$", then=Value(decimals))
        for decimals in UNUSUAL_DECIMALS
    ]
    precision: Any = Case(*whens, default=Value(2))
    return Q(**{column: Round(column, precision=precision)})


def _with(decimals: int) -> list[str]:
    return sorted(code for code, n in money.CURRENCIES.items() if n == decimals)


def currency_is_a_code() -> Q:
    return Q(currency__regex="^[A-Z]{3}$")
