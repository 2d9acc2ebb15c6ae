"""Files that are generated while they are sent, and that never look complete when truncated."""

from collections.abc import Iterable

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from rest_framework.request import Request

from fido.lib.values.errors import DomainError, Kind


class OldProtocol(DomainError):
    """HTTP/1.0 ends an answer by closing the connection, so a truncated file looks complete."""

    code, title = "http-version-too-old", "Files are sent over HTTP/1.1 only."
    kind = Kind.INVALID


def require_chunks(request: HttpRequest | Request) -> None:
    """Refuse a client that could not detect a truncated file.

    Raises:
        OldProtocol: the request came over HTTP/1.0, perhaps from a proxy.
    """
    if request.META.get("SERVER_PROTOCOL") == "HTTP/1.0":
        raise OldProtocol("Over HTTP/1.0 a truncated file looks complete: use HTTP/1.1.")


def download(
    request: HttpRequest | Request, parts: Iterable[bytes], *, media_type: str, name: str
) -> StreamingHttpResponse:
    """Stream the parts as they come; close them at the end, or when the client disconnects."""
    # Otherwise a client that reads nothing would hold this thread indefinitely. Gunicorn resets
    # the time-out before the connection's next request.
    if bound := request.META.get("gunicorn.socket"):
        bound.settimeout(settings.EXPORT_STALL_SECONDS)
    response = StreamingHttpResponse(parts, content_type=media_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    # A proxy that buffers what the client has not read yet would write it to disk, in clear.
    response["X-Accel-Buffering"] = "no"
    return response
