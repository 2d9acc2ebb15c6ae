"""Fetches the bank's rates at once."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.rates import operations, queries
from accounts.rates.published import BadRates


class Command(BaseCommand):
    help = (
        "Asks the bank for its rates now, and prints which are in force. Ends with status 1 if "
        "it got nothing usable; the last rates then stay in force."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--accept",
            action="store_true",
            help="accept rates even if a currency has disappeared or one has moved by more than "
            "RATES_MAX_FACTOR; first check what the bank says",
        )

    def handle(self, *args: Any, accept: bool, **options: Any) -> None:
        if settings.RATES_URL:
            try:
                operations.sync_now(settings.RATES_URL, accept=accept)
            except BadRates as refusal:
                raise CommandError(f"{refusal.detail} ({refusal.code})") from None
        else:
            self.stdout.write("RATES_URL is not set: these are the rates that ship with Fido.")
        table = queries.in_force()
        self.stdout.write(f"Rates of {table.effective_date}, {len(table.rates)} currencies.")
