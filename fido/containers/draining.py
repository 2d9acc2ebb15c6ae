"""A gunicorn worker that loses no request when it is told to end."""

from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker


class DrainingWorker(ThreadWorker):  # type: ignore[misc]
    """Takes the connections that wait, and closes its socket before it finishes what it has.

    gunicorn's own closes it last. As long as it is open the system goes on to accept connections
    that nobody will serve: clients send requests into them, and lose them at the close.
    """

    told_to_end = False
    sockets: list[Any]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.told_to_end = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        # One that ends by itself, after so many requests, leaves those who wait to the others.
        if self.told_to_end and not enabled:
            for listener in self.sockets:
                self._take_waiting(listener)
                listener.close()
            self.sockets = []

    def _take_waiting(self, listener: Any) -> None:
        had = -1
        # `accept` returns as well where nobody waits.
        while had < self.nr_conns < self.worker_connections:
            had = self.nr_conns
            self.accept(listener)
