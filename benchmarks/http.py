"""Calls the WSGI application like a web server, without a network."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from fido.wsgi import application


class Caller:
    """One logged-in user."""

    def __init__(self, token: str) -> None:
        self.token = token

    def get(self, url: str) -> bytes:
        return self.call("GET", url)

    def post(self, url: str, body: Any, **headers: str) -> bytes:
        return self.call("POST", url, json.dumps(body).encode(), **headers)

    def call(self, method: str, url: str, body: bytes = b"", **headers: str) -> bytes:
        """The response body; an unsuccessful response is an error of the benchmark."""
        return b"".join(self.parts(method, url, body, **headers))

    def parts(self, method: str, url: str, body: bytes = b"", **headers: str) -> Iterator[bytes]:
        """The response body, part by part."""
        environ = self._environ(method, url, body) | headers
        answer: Any = application(environ, _require_success)
        try:
            yield from answer
        finally:
            if hasattr(answer, "close"):  # PEP 3333: optional
                answer.close()

    def _environ(self, method: str, url: str, body: bytes) -> dict[str, Any]:
        parts = urlsplit(url)
        return {
            "REQUEST_METHOD": method,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_AUTHORIZATION": f"Bearer {self.token}",
            "CONTENT_TYPE": "application/json",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
        }


def _require_success(
    status: str, headers: Any, exc_info: Any = None, /
) -> Callable[[bytes], object]:
    if not status.startswith("2"):
        raise RuntimeError(f"the service answered {status}")
    return io.BytesIO().write  # PEP 3333 requires one; Django never calls it
