"""The demonstration's import: a statement of a bank that one of the five has left."""

from contextlib import closing
from datetime import date, timedelta

from accounts.models import User
from fido.lib.values.ids import new_id
from transactions.imports.intake import Intake
from transactions.imports.models import Import
from transactions.imports.submission import Upload, submitted

HEADER = "transaction_date,transaction_amount,transaction_type,currency,description,external_id"
# How long before the end, in days. Two of the lines are refused, each for its own reason.
LINES = (
    (820, "1500.00,credit,CHF,Invoice,old-1"),
    (815, "42.50,debit,CHF,Train,old-2"),
    (803, "980.00,debit,EUR,Rent,old-3"),
    (798, "1100.00,credit,EUR,Invoice,old-4"),
    (790, "12.999,debit,EUR,Lunch,old-5"),
    (782, "63.20,debit,EUR,Software,old-6"),
    (773, "980.00,debit,EUR,Rent,old-7"),
    (770, "1750.00,credit,CHF,Invoice,old-8"),
    (764, "35.00,withdrawn,EUR,Fee,old-9"),
    (755, "118.90,debit,EUR,Office,old-10"),
)


def statement(until: date) -> str:
    lines = (f"{until - timedelta(days=ago)},{rest}" for ago, rest in LINES)
    return "\n".join((HEADER, *lines)) + "\n"


def submit_statement(owner: User, until: date) -> Import:
    """Call it in no database transaction: the file stays only once the import is committed."""
    with closing(Intake(new_id())) as intake:
        intake.feed(statement(until).encode())
        return submitted(Upload(intake=intake, owner=owner, sender=owner))
