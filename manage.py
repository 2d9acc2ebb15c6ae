#!/usr/bin/env python
"""Runs a management command, on the embedded servers unless DATABASE_URL is set."""

import importlib.util
import os
import sys

from django.core.exceptions import ImproperlyConfigured

from fido.env import is_given


def main(argv: list[str]) -> None:
    if argv[1:2] == ["generate_key"]:
        # It generates keys that the settings require, so it runs without the settings.
        from fido.management.commands.generate_key import Command

        Command().run_from_argv(argv)
    elif is_given("DATABASE_URL") or argv[1:2] == ["--version"] or not has_embedded_servers():
        run(argv)
    else:
        run_on_embedded_servers(argv)


def has_embedded_servers() -> bool:
    """A checkout has them, an image does not; there the settings require DATABASE_URL."""
    return importlib.util.find_spec("fido.embedded") is not None


def run_on_embedded_servers(argv: list[str]) -> None:
    from fido.embedded import StartRefused, running

    try:
        with running() as environment:
            os.environ.update(environment)
            run(argv)
    except StartRefused as refusal:
        sys.exit(str(refusal))


def run(argv: list[str]) -> None:
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fido.settings")
    execute_from_command_line(argv)


if __name__ == "__main__":
    try:
        main(sys.argv)
    except ImproperlyConfigured as refusal:
        sys.exit(str(refusal))
    except KeyboardInterrupt:
        sys.exit(130)
