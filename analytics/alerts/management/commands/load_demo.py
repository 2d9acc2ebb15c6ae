"""Loads the demonstration into an empty installation."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import operations as accounts
from accounts.models import User
from accounts.wallets import operations as wallets
from analytics.alerts import demo
from fido.env import Environment
from fido.lib.commands.progress import progress
from fido.lib.values import clock
from fido.lib.values.errors import InvalidInput
from transactions import operations
from transactions.demo import PEOPLE, Person, history
from transactions.imports.demo import submit_statement

PASSWORD = "FIDO_DEMO_PASSWORD"  # noqa: S105 - the variable's name

# Recorded together.
AT_ONCE = 1000


class Command(BaseCommand):
    help = (
        "Loads five people with two years of transactions each, some alerts, and the staff login "
        f"`admin`; all of them log in with {PASSWORD}. Does nothing if there is any user."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--until",
            type=clock.parse_moment,
            default=None,
            help="the end of the two years; the same moment loads the same transactions",
        )

        parser.add_argument(
            "--if-asked-for",
            action="store_true",
            help=f"if {PASSWORD} is not set, do nothing instead of failing",
        )

    def handle(self, *args: Any, until: datetime | None, **options: Any) -> None:
        env = Environment()
        password = env.text(PASSWORD, "the password of the demonstration's logins", "")
        if not password and options["if_asked_for"]:
            self.stdout.write(f"{PASSWORD} is not set: no demonstration.")
        elif User.objects.exists():
            self.stdout.write("There are already users: nothing was loaded.")
        elif not password:
            raise CommandError(
                f"Set {PASSWORD}: it becomes the password of the demonstration's logins."
            )
        else:
            self._load(password, until or clock.now())

    def _load(self, password: str, end: datetime) -> None:
        now = clock.now()
        # All or nothing: after an interrupted load the installation is still empty.
        with progress("People", len(PEOPLE)) as advance, transaction.atomic():
            demo.add_rules()
            endpoint, users, count = demo.add_endpoint(), dict[str, User](), 0
            for person in PEOPLE:
                users[person.username] = owner = _user(person, password)
                count += _recorded(person, owner, end)
                advance(1)
            User.objects.create_superuser("admin", "admin@example.org", password)
            demo.check(list(users.values()))
            demo.answer(endpoint, now)
        submit_statement(users["grace"], end.date())
        self.stdout.write(f"{len(PEOPLE)} people, {count:,} transactions. Log in as ada or admin.")


def _recorded(person: Person, owner: User, end: datetime) -> int:
    """Open the person's wallets and record the history; return how many movements it has."""
    drafts = history(person, end, _opened(person, owner))
    for start in range(0, len(drafts), AT_ONCE):
        operations.record_many(owner=owner, drafts=drafts[start : start + AT_ONCE])
    return len(drafts)


def _opened(person: Person, owner: User) -> dict[str, UUID]:
    ids = {}
    for name, sums in person.wallets.items():
        wallet = wallets.create_wallet(user_id=owner.pk, name=name)
        for currency, opening in sums.items():
            wallets.open_balance(wallet=wallet, currency=currency, opening=Decimal(opening))
        ids[name] = wallet.pk
    return ids


def _user(person: Person, password: str) -> User:
    try:
        user = accounts.register(
            username=person.username,
            email=f"{person.username}@example.org",
            password=password,
            full_name=person.full_name,
        )
    except InvalidInput as refusal:
        reasons = " ".join(error["detail"] for error in refusal.extra["errors"])
        raise CommandError(f"{PASSWORD} is not acceptable: {reasons}") from None
    return accounts.update_profile(user=user, changes={"currency": person.currency})
