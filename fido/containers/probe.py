"""`python -m fido.containers.probe`: a health check. Without Django it saves a second of CPU time.

With a path (`/livez`, `/readyz`) it asks the web server of its container. Without one, it checks
whether the container's process has touched ALIVE_FILE recently.
"""

import http.client
import os
import sys
import time

PORT = 8000
SECONDS = 4
# Four intervals between two touches, plus some time for a busy machine.
SILENT_SECONDS = 30


def main(arguments: list[str]) -> str | None:
    """Return what is wrong, or None."""
    try:
        return _asked(arguments[0]) if arguments else _seen()
    except OSError as error:
        return str(error)


def _asked(path: str) -> str | None:
    client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=SECONDS)
    client.request("GET", path, headers={"Host": _host()})
    answer = client.getresponse()
    # The body of /readyz tells a person what failed, in `docker inspect`.
    return None if answer.status == 200 else f"{answer.status} {answer.read(1000).decode()}"


def _host() -> str:
    """A host name that the service accepts."""
    first = os.environ.get("ALLOWED_HOSTS", "").replace(",", " ").split()[:1]
    return "".join(first).lstrip(".").replace("*", "localhost") or "localhost"


def _seen() -> str | None:
    silent = time.time() - os.stat(os.environ.get("ALIVE_FILE", "")).st_mtime
    return None if silent < SILENT_SECONDS else f"No sign of life for {silent:.0f} s."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
