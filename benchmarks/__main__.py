"""`make bench`: what a request costs, beside what a lean stack would pay in the same run."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

from fido import embedded

RESULTS = Path(__file__).parent / "results.json"


def main() -> None:
    options = _options()
    if not Path("/proc/self/stat").exists():
        sys.exit("The benchmarks read the processes' CPU time from /proc: run them on Linux.")
    with _servers() as folder:
        django.setup()
        # Imported only once there are settings to read.
        from benchmarks import bench  # noqa: PLC0415

        output = options.output or (None if options.quick else RESULTS)
        bench.run(
            bench.Options(folder, options.quick, options.rounds, options.profile, output),
        )


@contextmanager
def _servers() -> Iterator[Path]:
    """The folder of new servers, which the settings then name.

    Always our own: the CPU time of others cannot be read.
    """
    folder = Path(tempfile.mkdtemp(prefix="fido-bench-"))
    folder.chmod(0o711)
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    try:
        with embedded.running(folder, fast=True, own=True) as variables:
            os.environ.update(variables, DJANGO_SETTINGS_MODULE="fido.settings")
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="short rounds under load and an import, nothing else"
    )
    parser.add_argument(
        "--rounds", type=int, default=200, help="how often each path is called in this process"
    )
    parser.add_argument(
        "--output", type=Path, help=f"where the figures go; default, unless --quick: {RESULTS.name}"
    )
    parser.add_argument(
        "--profile",
        choices=["create", "create, with a key", "bulk", "history", "analytics"],
        help="profile one path",
    )
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except embedded.StartRefused as refusal:
        sys.exit(str(refusal))
