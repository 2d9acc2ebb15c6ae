"""How this service connects to Redis."""

import re
from typing import Any

_RUN_ID = re.compile(rb"run_id:(\w+)")


def set_up(connection: Any) -> None:
    """Set up a new connection, and ask it for the server's `run_id`.

    The connection breaks when the server ends, so the answer holds for as long as the connection.
    """
    connection.on_connect()
    connection.send_command("INFO", "server")
    found = _RUN_ID.search(connection.read_response())
    connection.run_id = found[1].decode() if found else ""
