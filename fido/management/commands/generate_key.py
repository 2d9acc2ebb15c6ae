"""Generates a key for each ring."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from fido.lib.values.crypto import keys

MAKERS = {"FERNET_KEYS": keys.new_fernet_key, "BLIND_INDEX_KEYS": keys.new_index_key}


class Command(BaseCommand):
    help = (
        "Prints a new key for FERNET_KEYS and one for BLIND_INDEX_KEYS. To rotate, put the new "
        "key last and restart all processes, so that each can read it; then put it first, restart, "
        "run `reencrypt`, and remove the old one."
    )
    # Runs before there is any configuration, because it generates part of it.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("ring", nargs="?", choices=sorted(MAKERS), help="only this ring")

    def handle(self, *args: Any, ring: str | None = None, **options: Any) -> None:
        for name in [ring] if ring else MAKERS:
            self.stdout.write(f"{name}={MAKERS[name]()}")
