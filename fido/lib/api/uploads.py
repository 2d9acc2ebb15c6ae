"""Multipart bodies of any size, passed on in chunks and never held in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import IO, Any, Protocol, TypeVar

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, QueryDict
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from django.utils.datastructures import MultiValueDict
from rest_framework.exceptions import ErrorDetail, ParseError, ValidationError
from rest_framework.parsers import BaseParser, DataAndFiles

from fido.lib.api.problems import BodyTooLarge

FIELD = "file"
# For everything in a body besides its file.
ENVELOPE_BYTES = 64 * 1024
PIECE_BYTES = 64 * 1024
BROKEN_OFF = "The body is incomplete."

AnyView = TypeVar("AnyView", bound=Callable[..., Any])


class NoFile(ValidationError):
    """Not exactly one file, in the right field."""

    def __init__(self) -> None:
        super().__init__({FIELD: ["Send one file in this field."]}, code="required")


class Receiver(Protocol):
    """Consumes the file. `abandon` may be called at any time, and more than once."""

    max_bytes: int

    def feed(self, data: bytes) -> None: ...
    def abandon(self) -> None: ...


class UploadParser(BaseParser):
    """Text fields, and one file in the field `file`, fed to the view's `new_receiver()`."""

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles[Any, Any]:
        assert parser_context is not None
        request, receiver = parser_context["request"], parser_context["view"].new_receiver()
        fields = received(stream, request.META, receiver)
        return DataAndFiles(fields, MultiValueDict({FIELD: [receiver]}))


def streams_its_body(view: AnyView) -> AnyView:
    """Mark a view outside the API that limits by itself how much of a body it reads."""
    view.streams_its_body = True  # type: ignore[attr-defined]
    return view


def received(stream: IO[Any], meta: dict[str, Any], receiver: Receiver) -> QueryDict:
    """Feed the file to the receiver, and return the text fields. `stream` is the request itself.

    A body that ends before its last boundary is refused: its file is truncated. Anything after that
    boundary is ignored.

    Raises:
        ParseError, BodyTooLarge, NoFile, ValidationError: the receiver has been abandoned.
    """
    try:
        return _received(stream, meta, receiver)
    except BaseException:
        receiver.abandon()
        raise


def read_form(request: HttpRequest, receiver: Receiver) -> QueryDict:
    """Like `received`, for a view outside the API; afterwards the fields are in `request.POST`.

    Such a view is `streams_its_body` and `csrf_exempt`, and applies `csrf_protect` to what it does
    with the fields. Otherwise Django reads the body before any view, and the file into memory.
    """
    request._files = MultiValueDict()  # type: ignore[attr-defined]
    request._post = QueryDict()  # type: ignore[attr-defined]
    request._post = received(request, request.META, receiver)  # type: ignore[attr-defined, arg-type]
    return request.POST


def _received(stream: IO[Any], meta: dict[str, Any], receiver: Receiver) -> QueryDict:
    handler = _Handler(receiver)
    body = _Body(stream, receiver.max_bytes + ENVELOPE_BYTES)
    try:
        parser = MultiPartParser(meta, body, [handler], "utf-8")  # type: ignore[arg-type]
        body.require_room(meta)
        body.ends_with(b"--%b--" % parser._boundary)  # type: ignore[attr-defined]
        fields: QueryDict = parser.parse()[0]
    except (MultiPartParserError, LookupError, ValueError):
        raise ParseError("The form cannot be read.") from None
    except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent):
        raise BodyTooLarge() from None
    except OSError:  # malformed chunks, or a client that has disconnected
        raise ParseError(BROKEN_OFF) from None
    if not body.is_whole:
        raise ParseError(BROKEN_OFF)
    if handler.files != 1:
        raise NoFile()
    _require_each_once(fields)
    return fields


def _require_each_once(fields: QueryDict) -> None:
    # It is unclear which one was meant.
    repeated = [name for name, values in fields.lists() if name == FIELD or len(values) > 1]
    if repeated:
        raise ValidationError(
            {name: ErrorDetail("Given more than once.", "repeated") for name in repeated}
        )


class _Handler(FileUploadHandler):
    chunk_size = PIECE_BYTES

    def __init__(self, receiver: Receiver) -> None:
        super().__init__()
        self._receiver = receiver
        self.files = 0

    def new_file(self, field_name: str, *args: Any, **kwargs: Any) -> None:
        self.files += 1
        if field_name != FIELD or self.files > 1:
            raise NoFile()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._receiver.feed(raw_data)

    def file_complete(self, file_size: int) -> None:
        return None


class _Body:
    """A body up to its last boundary, with a bounded size regardless of the stated length."""

    def __init__(self, stream: IO[Any], limit: int) -> None:
        self._stream, self._limit = stream, limit
        self._read_bytes = 0
        self._end = self._tail = b""
        self.is_whole = False

    def require_room(self, meta: dict[str, Any]) -> None:
        """Refuse by the stated length, before anything is read. A chunked body states none."""
        stated = str(meta.get("CONTENT_LENGTH") or 0)
        # See fido.lib.api.middleware.Request.
        in_chunks = "HTTP_TRANSFER_ENCODING" in meta
        if stated.isdigit() and int(stated) > self._limit and not in_chunks:
            raise BodyTooLarge(self._limit)

    def ends_with(self, last_boundary: bytes) -> None:
        self._end = last_boundary

    def read(self, size: int = -1) -> bytes:
        if self.is_whole:
            return b""
        data: bytes = self._stream.read(size)
        self._read_bytes += len(data)
        if self._read_bytes > self._limit:
            raise BodyTooLarge(self._limit)
        return self._up_to_its_end(data)

    def _up_to_its_end(self, data: bytes) -> bytes:
        # The boundary may have begun in the previous chunk.
        window = self._tail + data
        found = window.find(self._end)
        if found < 0:
            self._tail = window[-len(self._end) + 1 :]
            return data
        self.is_whole = True
        return data[: found + len(self._end) - len(self._tail)]
