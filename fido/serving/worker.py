"""gunicorn's threaded worker, in which no client can hold what others need.

docs/adr/0024-slow-clients.md has the reasons. The main loop reads requests, with a deadline, and
gives a thread only what is whole. Probes, and what lasts as long as a client's network, have
threads of their own.
"""

import errno
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from fido.lib.process import watchdog
from fido.lib.process.signals import WAITED
from fido.serving.connections import Connection, Kind

# What all unfinished requests of a process may hold of its memory.
MAX_HELD_BYTES = 32 * 1024 * 1024
# How long a connection stays for the client to read the answer, and how much is read meanwhile.
LINGER_SECONDS, LINGER_BYTES = 2.0, 1024 * 1024
# Threads beside gunicorn's own number, which serve everything else.
THREADS = {Kind.LIVENESS: 1, Kind.CHECK: 1, Kind.BULK: 1, Kind.STREAM: 2}
TIMED_OUT = (
    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%b"
)
PROBLEM = (
    b'{"type":"urn:fido:problem:request-timeout","title":"The request came too slowly.",'
    b'"status":408,"detail":"The connection is closed.","code":"request-timeout"}'
)


class _Served(threading.local):
    """How long the request that this thread serves has waited for it, in seconds."""

    waited = 0.0


class Worker(ThreadWorker):  # type: ignore[misc]
    """The main loop owns each connection, except while a thread serves a request on it."""

    sockets: list[Any]
    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._told_to_end = False
        self._served = _Served()
        self._held_bytes, self._checked_at = 0, 0.0
        # In the order in which they began to wait for a request, or to close.
        self._waiting = dict[Connection, None]()
        self._closing = dict[Connection, int]()

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        super().check_config(cfg, log)
        if cfg.is_ssl:
            raise ValueError("Fido's web server does no TLS: put a proxy in front.")

    def get_thread_pool(self) -> ThreadPoolExecutor:
        threads = THREADS | {Kind.REQUEST: self.cfg.threads}
        self._pools = {kind: ThreadPoolExecutor(number) for kind, number in threads.items()}
        return self._pools[Kind.REQUEST]

    def load_wsgi(self) -> None:
        super().load_wsgi()
        watchdog.watch()  # the threads; gunicorn's master watches the main loop
        application = self.wsgi

        def timed(environ: dict[str, Any], start_response: Any) -> Any:
            environ[WAITED] = self._served.waited
            return application(environ, start_response)

        self.wsgi = timed

    # --- in the main loop ---

    def accept(self, listener: Any) -> None:
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in {errno.EAGAIN, errno.ECONNABORTED}:
                return
            raise
        if self.nr_conns >= self.worker_connections - 1 and self._waiting:
            self._abandon(next(iter(self._waiting)))  # who has had the most time
        self.nr_conns += 1
        self._wait_for_request(Connection(self.cfg, client, address, listener.getsockname()))

    def enqueue_req(self, conn: Connection) -> None:
        conn.ready_at = time.monotonic()
        served = self._pools[conn.kind].submit(self.handle, conn)
        served.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def finish_request(self, conn: Connection, served: Future[bool]) -> None:
        if not served.cancelled() and not served.exception() and served.result():
            conn.begin_next()
            if not self.alive:
                conn.deadline = min(conn.deadline, time.monotonic() + LINGER_SECONDS)
            self._wait_for_request(conn)
        else:
            self._close(conn)

    def _wait_for_request(self, conn: Connection) -> None:
        if conn.received and conn.is_ready():
            self.enqueue_req(conn)
            return
        self._waiting[conn] = None
        self._held_bytes += len(conn.received)
        self.poller.register(conn.sock, EVENT_READ, partial(self._read, conn))

    def _read(self, conn: Connection, _sock: Any) -> None:
        had = len(conn.received)
        goes_on = conn.read()
        self._held_bytes += len(conn.received) - had
        if not conn.received:
            if not goes_on:
                self._abandon(conn)
            return
        is_ready = conn.is_ready() or not goes_on
        if not is_ready and self._held_bytes > MAX_HELD_BYTES:
            conn.kind, is_ready = Kind.STREAM, True
        if is_ready:
            self._stop_waiting(conn)
            self.enqueue_req(conn)

    def _stop_waiting(self, conn: Connection) -> None:
        del self._waiting[conn]
        self._held_bytes -= len(conn.received)
        self.poller.unregister(conn.sock)

    def _abandon(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        self._drop(conn)

    def _close(self, conn: Connection) -> None:
        """End our side, and let the client end its own: it may not have read the answer yet."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._drop(conn)
            return
        conn.deadline = time.monotonic() + LINGER_SECONDS
        self._closing[conn] = 0
        self.poller.register(conn.sock, EVENT_READ, partial(self._drain, conn))

    def _drain(self, conn: Connection, _sock: Any) -> None:
        data = conn.taken()
        if data == b"":
            self._stop_closing(conn)
            return
        self._closing[conn] += len(data or b"")
        if self._closing[conn] > LINGER_BYTES:
            # Not dropped yet: a reset could overtake the answer, on its way to a client that sends.
            self.poller.unregister(conn.sock)

    def _stop_closing(self, conn: Connection) -> None:
        if self._closing.pop(conn) <= LINGER_BYTES:
            self.poller.unregister(conn.sock)
        self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Called by gunicorn after each round of events, and at the end with `force`."""
        now = time.monotonic()
        if now - self._checked_at < 1.0 and not force:
            return
        self._checked_at = now
        for conn in [each for each in self._waiting if force or each.deadline <= now]:
            if conn.received:
                self._time_out(conn)
            self._abandon(conn)
        for conn in [each for each in self._closing if force or each.deadline <= now]:
            self._stop_closing(conn)

    def _time_out(self, conn: Connection) -> None:
        try:
            conn.sock.send(TIMED_OUT % (len(PROBLEM), PROBLEM), socket.MSG_DONTWAIT)
        except OSError:
            self.log.debug("The client has left.")

    # --- in a thread ---

    def handle_request(self, req: Any, conn: Connection) -> bool:
        self._served.waited = time.monotonic() - conn.ready_at
        # Otherwise an answer that comes before the end of the body would promise to go on, and the
        # rest of the body might never come.
        req.must_close = req.must_close or not conn.is_whole
        try:
            with watchdog.under_way("a request"):
                goes_on: bool = super().handle_request(req, conn)
        except BlockingIOError as error:
            raise BrokenPipeError(errno.EPIPE, "The client does not read.") from error
        return goes_on

    # --- at the end ---

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._told_to_end = True
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled:
            return
        # gunicorn's own worker closes the socket last. Until then the kernel goes on to accept
        # connections that no worker will serve. A worker that stops by itself, after max_requests,
        # leaves the waiting ones to the others.
        if self._told_to_end:
            for listener in self.sockets:
                self._take_waiting(listener)
        if self._told_to_end or not self.is_parent_alive():
            for listener in self.sockets:
                listener.close()
            self.sockets = []

    def _take_waiting(self, listener: Any) -> None:
        had = -1
        # `accept` returns even if no connection waits.
        while had < self.nr_conns < self.worker_connections:
            had = self.nr_conns
            self.accept(listener)

    def _cap_keepalive(self, deadline: float) -> None:
        for conn in self._waiting:
            if not conn.received:
                conn.deadline = min(conn.deadline, deadline)
