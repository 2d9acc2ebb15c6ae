"""Backtests a rule."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.management.users import known
from accounts.models import User
from analytics.alerts import backtest
from analytics.alerts.backtest import Question, Result
from analytics.alerts.models import Rule
from analytics.alerts.parameters import InvalidParameters
from analytics.alerts.rules import Kind, parsed
from fido.lib.commands.progress import progress
from fido.lib.values import clock
from fido.lib.values.clock import Period


class Command(BaseCommand):
    help = (
        "Prints for each day how many alerts a rule would have raised over the existing "
        "transactions, and how many it did raise. Nothing is stored."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rule", type=int, required=True, metavar="ID", help="the rule's id")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="a parameter that replaces the stored one, such as amount=150",
        )
        parser.add_argument("--since", metavar="TIME", help="the first day or moment")
        parser.add_argument("--until", metavar="TIME", help="the last day, or the moment after")
        parser.add_argument("--user", type=int, metavar="ID", help="only this user")

    def handle(self, *args: Any, rule: int, user: int | None, **options: Any) -> None:
        question = _question(rule, options)
        users, total = backtest.everybody(), User.objects.count()
        if user is not None:
            users, total = iter(known([user])), 1
        with progress("Users", total) as advance:
            result = backtest.run(question, users, advance=advance)
        self._tell(question, result)

    def _tell(self, question: Question, result: Result) -> None:
        for day, counts in sorted(result.days.items()):
            self.stdout.write(f"{day}: would {counts.would:,}, was {counts.was:,}")
        self.stdout.write(
            f"{question.kind}\n{result.users:,} users, {len(result.days):,} days with alerts: "
            f"{result.would:,} would have been raised, {result.was:,} were."
        )


def _question(rule_id: int, options: dict[str, Any]) -> Question:
    row = Rule.objects.filter(pk=rule_id).first()
    if row is None:
        known = ", ".join(f"{each.pk} ({each})" for each in Rule.objects.all())
        raise CommandError(f"There is no rule {rule_id}. Existing rules: {known or 'none'}.")
    return Question(row.pk, _kind(row, options["set"]), row.in_currency, _period(options))


def _kind(row: Rule, changes: list[str]) -> Kind:
    stored = row.parameters if isinstance(row.parameters, dict) else {}
    try:
        return parsed(row.kind, {**stored, **dict(map(_pair, changes))})
    except InvalidParameters as error:
        raise CommandError(str(error)) from None


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise CommandError(f"Not a NAME=VALUE: {text}")
    return name, value


def _period(options: dict[str, Any]) -> Period:
    try:
        return Period(
            clock.parse_moment(options["since"]) if options["since"] else None,
            clock.parse_end(options["until"]) if options["until"] else None,
        )
    except clock.MalformedTime as error:
        raise CommandError(str(error)) from None
