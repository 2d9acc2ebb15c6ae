"""Compares the balances of all wallets with their transactions."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management.users import each_of
from accounts.models import User
from accounts.queries import user_ids_in_batches
from fido.lib.commands.progress import progress
from fido.lib.process.database import no_limits
from transactions import queries


class Command(BaseCommand):
    help = (
        "Recomputes every wallet from its transactions and prints each balance that is not its "
        "opening amount plus them. Correct even while people write. Exits with status 1 if there "
        "is one. It changes nothing: a person has to find out which side is wrong."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--user", type=int, nargs="+", metavar="ID", help="check only these users"
        )

    def handle(self, *args: Any, user: list[int] | None, **options: Any) -> None:
        groups = each_of(user) if user else user_ids_in_batches()
        users, found = 0, 0
        with no_limits(), progress("Users", None if user else User.objects.count()) as advance:
            for ids in groups:
                for difference in queries.balance_differences(ids):
                    self.stdout.write(f"user {difference.user_id}, {difference}")
                    found += 1
                users += len(ids)
                advance(len(ids))
        if found:
            raise CommandError(f"{users:,} users, {found:,} differences.")
        self.stdout.write(f"{users:,} users, no difference.")
