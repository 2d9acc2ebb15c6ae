"""A test's HTTP server on a real socket, in place of an external server."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


class QuietHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


class StubServer:
    """Serves while it is open. `finished` is set at its end, for handlers that keep a client
    waiting.
    """

    path = ""

    def __init__(self, handler: type[QuietHandler]) -> None:
        self.finished = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        # A client that disconnects is not an error.
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}{self.path}"

    def speak_tls(self, certificate: Path) -> None:
        """Use TLS from now on, with this self-signed certificate for localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self.port}{self.path}"

    @contextmanager
    def open(self) -> Iterator[Self]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.finished.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
