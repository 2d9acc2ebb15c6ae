"""What the lean service accepts. The rules are those of Fido's serializer, without wallets."""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from iso4217 import Currency
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    model_validator,
)

DECIMALS = {str(each.code): each.exponent for each in Currency if each.exponent is not None}
LIMIT = Decimal(10) ** 15
_PLAIN = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _amount(value: Any) -> Decimal:
    if isinstance(value, str) and (len(value) > 64 or not _PLAIN.fullmatch(value)):
        raise ValueError("an amount is a decimal number")
    # A float's shortest form is the number that the client wrote.
    amount = Decimal(str(value))
    if not 0 < amount < LIMIT:
        raise ValueError("an amount is positive, and has 15 digits before the point")
    return amount


def _currency(value: str) -> str:
    if value not in DECIMALS:
        raise ValueError("not an ISO 4217 code")
    return value


def moment(value: Any) -> datetime:
    """A time, or a date meaning its midnight; in UTC."""
    if not isinstance(value, str):
        raise ValueError("a time is text")  # noqa: TRY004 - pydantic reports a ValueError
    parsed = datetime.fromisoformat(value)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def day(value: str) -> date:
    if not _DATE.fullmatch(value):
        raise ValueError("not a date")
    return date.fromisoformat(value)


def _text(length: int) -> Any:
    constraints = StringConstraints(strip_whitespace=True, min_length=1, max_length=length)
    return Annotated[str, constraints]


class Draft(BaseModel):
    """A transaction to create."""

    model_config = ConfigDict(extra="forbid")

    transaction_amount: Annotated[Decimal, BeforeValidator(_amount)]
    transaction_type: Literal["credit", "debit"]
    transaction_date: Annotated[datetime, BeforeValidator(moment)]
    currency: Annotated[str, AfterValidator(_currency)] | None = None
    full_name: _text(200) | None = None  # type: ignore[valid-type]
    description: _text(1000) | None = None  # type: ignore[valid-type]
    external_id: _text(255) | None = None  # type: ignore[valid-type]
    category: _text(50) | None = None  # type: ignore[valid-type]

    @model_validator(mode="after")
    def has_the_currencys_decimals(self) -> "Draft":
        if self.currency:
            require_decimals(self.transaction_amount, self.currency)
        return self


def require_decimals(amount: Decimal, currency: str) -> None:
    """Raises ValueError: the amount has more decimals than its currency."""
    exponent = amount.as_tuple().exponent
    if isinstance(exponent, int) and -exponent > DECIMALS[currency]:
        raise ValueError("too many decimals")


def money(amount: Decimal, currency: str) -> str:
    return f"{amount:.{DECIMALS[currency]}f}"


def clock(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
