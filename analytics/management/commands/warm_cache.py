"""Computes answers ahead of requests, like the periodic job."""

from collections import Counter
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management.users import known
from analytics import warming
from analytics.queries import most_active_users
from analytics.warming import Outcome
from fido.lib.cache.redis_link import Away
from fido.lib.commands.arguments import positive
from fido.lib.commands.progress import progress


class Command(BaseCommand):
    help = (
        "Caches the analytics of users, so that their next read needs no database. Safe while the "
        "service runs; answers that are already cached are left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        who = parser.add_mutually_exclusive_group()
        who.add_argument(
            "--users",
            type=positive,
            metavar="N",
            help="the N users with the most transactions lately (default: WARM_USERS)",
        )
        who.add_argument("--user", type=positive, nargs="+", metavar="ID", help="these users")

    def handle(self, *args: Any, users: int | None, user: list[int] | None, **options: Any) -> None:
        ids = known(user) if user else most_active_users(_number(users))
        outcomes: Counter[Outcome] = Counter()
        with progress("Users", len(ids)) as advance:
            try:
                for user_id in ids:
                    outcomes[warming.warm(user_id)] += 1
                    advance(1)
            except Away as away:
                raise CommandError(f"Redis is away. {_summary(outcomes)}") from away
        self.stdout.write(_summary(outcomes))


def _number(asked_for: int | None) -> int:
    number: int = asked_for or settings.WARM_USERS
    if not number:
        raise CommandError("WARM_USERS is 0: give a number with --users.")
    return number


def _summary(outcomes: Counter[Outcome]) -> str:
    warmed, kept, skipped = (outcomes[outcome] for outcome in Outcome)
    users = f"{outcomes.total():,} users"
    return f"{users}: {warmed:,} warmed, {kept:,} already kept, {skipped:,} skipped."
