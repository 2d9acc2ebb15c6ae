"""`make bench`: the cost of the hot paths, as ratios to the least possible cost."""

import argparse
import os
import sys

import django
import pytest

from tests.servers import environment


def main() -> None:
    options = _options()
    with environment() as variables:
        os.environ.update(variables, DJANGO_SETTINGS_MODULE="fido.settings")
        django.setup()
        # Imported only once there are settings to read.
        from benchmarks import bench  # noqa: PLC0415

        bench.run(rounds=options.rounds, profiled=options.profile)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=400, help="how often each path is called")
    parser.add_argument(
        "--profile",
        choices=["create", "create, with a key", "bulk", "history", "analytics"],
        help="profile one path",
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except pytest.UsageError as refusal:
        sys.exit(str(refusal))
