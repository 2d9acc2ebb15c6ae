"""`python -m fido.embedded COMMAND ...`: run a command with the embedded servers' environment."""

import os
import subprocess
import sys

from fido.embedded import StartRefused, running


def main(command: list[str]) -> int:
    with running() as environment:
        return subprocess.call(command, env=os.environ | environment)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except StartRefused as refusal:
        sys.exit(str(refusal))
