"""Compares all totals with the transactions, and repairs them on request."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management.users import each_of
from accounts.models import User
from accounts.queries import user_ids_in_batches
from analytics import operations, queries
from fido.lib.commands.progress import progress
from fido.lib.process.database import no_limits


class Command(BaseCommand):
    help = (
        "Recomputes the daily totals from all transactions and prints what they lack. Correct even "
        "while people write. Exits with status 1 if a difference remains."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--repair", action="store_true", help="append what is missing")
        parser.add_argument(
            "--user", type=int, nargs="+", metavar="ID", help="check only these users"
        )

    def handle(self, *args: Any, repair: bool, user: list[int] | None, **options: Any) -> None:
        groups = each_of(user) if user else user_ids_in_batches()
        find = operations.repair if repair else queries.differences
        users, found = 0, 0
        with no_limits(), progress("Users", None if user else User.objects.count()) as advance:
            for ids in groups:
                for difference in find(ids):
                    self.stdout.write(f"user {difference.user_id}, {difference}")
                    found += 1
                users += len(ids)
                advance(len(ids))
        self._conclude(users, found, repaired=repair)

    def _conclude(self, users: int, found: int, *, repaired: bool) -> None:
        if not found:
            self.stdout.write(f"{users:,} users, no difference.")
        elif repaired:
            self.stdout.write(f"{users:,} users, {found:,} differences, all of them repaired.")
        else:
            raise CommandError(
                f"{users:,} users, {found:,} differences: repair them with `check_totals --repair`."
            )
