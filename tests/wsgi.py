"""The WSGI application, called as gunicorn calls it."""

import io
from typing import Any

from fido.lib.api.fast_path import FastPath
from fido.wsgi import django

Response = tuple[str, dict[str, str], bytes]


class Server:
    """With the fast path, and a count of how often it has called Django."""

    def __init__(self) -> None:
        self.calls = 0
        self.application = FastPath(self._django)

    def _django(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.calls += 1
        return django(environ, start_response)

    def get(self, path: str, token: Any, query: str = "", **headers: str) -> Response:
        started: list[Any] = []
        environ = environ_of(path, token, query) | headers
        body = self.application(environ, lambda *response: started.append(response))
        content = b"".join(body)
        if hasattr(body, "close"):
            body.close()
        (status, items), *_ = started
        return status, dict(items), content

    def is_fast(self, *request: Any, **headers: str) -> bool:
        """Whether the request is answered without Django."""
        before = self.calls
        self.get(*request, **headers)
        return self.calls == before


def environ_of(path: str, token: Any, query: str) -> dict[str, Any]:
    login = {"HTTP_AUTHORIZATION": f"Bearer {token}"} if token else {}
    return login | {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": f"/api/v1{path}",
        "QUERY_STRING": query,
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
    }
