"""How long a request that does its work in steps may go on."""

import socket
import time

from rest_framework.request import Request


class Budget:
    """Is spent after so many seconds, or when nobody waits for the answer any more."""

    def __init__(self, request: Request, seconds: float) -> None:
        self._until = time.monotonic() + seconds
        self._client: socket.socket | None = request.META.get("gunicorn.socket")

    def is_spent(self) -> bool:
        return time.monotonic() > self._until or self._client_has_left()

    def _client_has_left(self) -> bool:
        if self._client is None:
            return False
        try:
            # Nothing, when it has closed; another request, when it is ahead of us.
            return not self._client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
