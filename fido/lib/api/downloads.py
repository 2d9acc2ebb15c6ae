"""Files that are made while they are sent, and of which half is never taken for the whole."""

from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from rest_framework.request import Request

from fido.lib.values.errors import DomainError, Kind


class OldProtocol(DomainError):
    """HTTP/1.0 ends an answer by closing the connection, and so can tell no end from a break."""

    code, title = "http-version-too-old", "Files are sent over HTTP/1.1 only."
    kind = Kind.INVALID


def require_chunks(request: HttpRequest | Request) -> None:
    """Refuses what could not be told that its file has broken off.

    Raises:
        OldProtocol: the request came, perhaps from a proxy, over HTTP/1.0.
    """
    if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise OldProtocol("Over HTTP/1.0 a file that breaks off looks whole: use HTTP/1.1.")


def download(
    request: HttpRequest | Request, parts: Iterable[bytes], *, media_type: str, name: str
) -> StreamingHttpResponse:
    """The answer that sends the parts as they come, and closes them when it is done or left."""
    # Else a client that reads nothing holds this thread for as long as it lives. Gunicorn takes
    # the bound away again before the connection's next request.
    if bound := request.META.get("gunicorn.socket"):
        bound.settimeout(settings.EXPORT_STALL_SECONDS)
    response = StreamingHttpResponse(parts, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    # A proxy that keeps what the client has not read yet would keep it on its disk, in clear.
    response["X-Accel-Buffering"] = "no"
    return response
