"""What makes the suite quick is at work, and changes nothing that a test sees."""

import os
import subprocess
import sys


def test_processes_find_the_bytecode_that_others_have_made() -> None:
    told = "import sys; print(sys.dont_write_bytecode, sys.pycache_prefix)"

    said = subprocess.check_output([sys.executable, "-c", told], env=os.environ, text=True)

    assert said.split() == ["False", str(sys.pycache_prefix)]
