"""A gunicorn worker that loses no request when it is told to stop."""

from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """Accepts the waiting connections, then closes its socket, then finishes its requests.

    gunicorn's own worker closes the socket last. Until then the kernel goes on to accept
    connections that no worker will serve: clients send requests into them and lose them at the
    close.
    """

    told_to_end = False
    sockets: list[Any]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.told_to_end = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        # A worker that stops by itself, after max_requests, leaves the waiting connections to the
        # others.
        if self.told_to_end and not enabled:
            for listener in self.sockets:
                self._take_waiting(listener)
                listener.close()
            self.sockets = []

    def _take_waiting(self, listener: Any) -> None:
        had = -1
        # `accept` returns even if no connection waits.
        while had < self.nr_conns < self.worker_connections:
            had = self.nr_conns
            self.accept(listener)
