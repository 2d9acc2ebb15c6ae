"""Bytecode for a run's many processes, also where Python is told to write none: a pytest plugin.

Each of some hundred processes would otherwise compile a thousand modules for itself. The plugin is
loaded first, because the ones after it import most of these modules.
"""

import os
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "build" / "bytecode"


def share() -> None:
    """Keep it outside of the sources and of .venv, which such a machine wants to stay clean."""
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(FOLDER)
    os.environ.update(PYTHONDONTWRITEBYTECODE="", PYTHONPYCACHEPREFIX=str(FOLDER))


if sys.dont_write_bytecode:
    share()
