"""A receiver of webhooks on a real socket, that can also be down, slow, or leading elsewhere."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Receiver:
    """Notes what comes in, and answers `status`; `hangs` takes the request and says nothing."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], str]] = []
        self.paths: list[str] = []
        self.status, self.headers = 204, dict[str, str]()
        self.hangs = False
        self.dripping = False
        self.finished = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                receiver.received.append((dict(self.headers.items()), body))
                receiver.paths.append(self.path)
                with suppress(OSError):
                    self._answer()

            def _answer(self) -> None:
                if receiver.hangs:
                    receiver.finished.wait(20)
                while receiver.dripping and not receiver.finished.wait(0.02):
                    self.wfile.write(b"H")
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.handle_error = lambda *args: None  # type: ignore[method-assign]
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}/hook?a=1"

    def speak_tls(self, certificate: Path) -> None:
        """From now on, under this certificate for localhost."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"https://localhost:{self.port}/hook?a=1"

    @contextmanager
    def open(self) -> Iterator["Receiver"]:
        thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self.finished.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()
