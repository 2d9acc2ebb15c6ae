"""What `make run` does before it serves: the migrations, and at the first start the demonstration.

One process does both, because to start Django takes as long as either of them. It is run as
`python -m fido.embedded.prepare [--demonstration FILE]`, and makes the file once the tables are
there.
"""

import gc
import os
import sys
from pathlib import Path

import django
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command


def main(arguments: list[str]) -> None:
    first_start = "--demonstration" in arguments
    if first_start:
        # There is little to do yet, and to look for garbage meanwhile takes a third of the time.
        gc.disable()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "fido.settings")
    django.setup()
    call_command("migrate", verbosity=0, skip_checks=False)
    if first_start:
        Path(arguments[1]).touch()
        print("Loading the demonstration ...", flush=True)
        call_command("load_demo")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ImproperlyConfigured, CommandError) as refusal:
        sys.exit(str(refusal))
