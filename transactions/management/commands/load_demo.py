"""Loads the demonstration into an empty installation."""

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from accounts import operations as accounts
from accounts.models import User
from fido.env import Environment
from fido.lib.commands.progress import progress
from fido.lib.values import clock
from fido.lib.values.errors import InvalidInput
from transactions import operations
from transactions.demo import PEOPLE, Person, history

PASSWORD = "FIDO_DEMO_PASSWORD"  # noqa: S105 - the variable's name

# Recorded together, and counted together by the progress bar.
AT_ONCE = 200


class Command(BaseCommand):
    help = (
        "Loads five people with two years of transactions each, and the staff login `admin`; all "
        f"of them log in with {PASSWORD}. Does nothing if there is any user."
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
        histories = {person: history(person, end) for person in PEOPLE}
        count = sum(map(len, histories.values()))
        # All or nothing: after an interrupted load the installation is still empty.
        with progress("Transactions", count) as advance, transaction.atomic():
            for person, drafts in histories.items():
                owner = _user(person, password)
                for start in range(0, len(drafts), AT_ONCE):
                    some = drafts[start : start + AT_ONCE]
                    operations.record_many(owner=owner, drafts=some)
                    advance(len(some))
            User.objects.create_superuser("admin", "admin@example.org", password)
        self.stdout.write(f"{len(PEOPLE)} people, {count:,} transactions. Log in as ada or admin.")


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
