"""Multipart bodies of any size, handed on piece by piece and never kept in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any, Protocol

from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.core.files.uploadhandler import FileUploadHandler
from django.http.multipartparser import MultiPartParser, MultiPartParserError
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser, DataAndFiles

from fido.lib.problems import BodyTooLarge

FIELD = "file"
# What a body holds beside its file.
ENVELOPE_BYTES = 64 * 1024
BROKEN_OFF = "The body broke off."


class NoFile(ValidationError):
    """Not one file in the field where it belongs."""

    def __init__(self) -> None:
        super().__init__({FIELD: ["Send one file in this field."]}, code="required")


class Receiver(Protocol):
    """What takes the file in. `abandon` may be called at any time, and more than once."""

    max_bytes: int

    def feed(self, data: bytes) -> None: ...
    def abandon(self) -> None: ...


class UploadParser(BaseParser):
    """One file in the field `file`, fed to the view's `new_receiver()`, and text fields.

    A body that ends before its last boundary is refused: half a file is not a file.
    """

    media_type = "multipart/form-data"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> DataAndFiles[Any, Any]:
        assert parser_context is not None
        request, receiver = parser_context["request"], parser_context["view"].new_receiver()
        try:
            return self._received(request.META, stream, receiver)
        except BaseException:
            receiver.abandon()
            raise

    def _received(
        self, meta: dict[str, Any], stream: IO[Any], receiver: Receiver
    ) -> DataAndFiles[Any, Any]:
        handler = _Handler(receiver)
        counted = _Counted(stream, receiver.max_bytes + ENVELOPE_BYTES)
        try:
            parser = MultiPartParser(meta, counted, [handler], "utf-8")  # type: ignore[arg-type]
            counted.require(meta)
            fields, _ = parser.parse()
        except (MultiPartParserError, LookupError, ValueError):
            raise ParseError("The form cannot be read.") from None
        except (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent):
            raise BodyTooLarge() from None
        except OSError:  # malformed chunks, or a client that has gone
            raise ParseError(BROKEN_OFF) from None
        if not counted.ended_with(f"--{_boundary(parser)}--".encode()):
            raise ParseError(BROKEN_OFF)
        if handler.files != 1:
            raise NoFile()
        return DataAndFiles(fields, {FIELD: receiver})


class _Handler(FileUploadHandler):
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


class _Counted:
    """The body, its end remembered and its size bounded, whatever length was stated."""

    def __init__(self, stream: IO[Any], limit: int) -> None:
        self._stream, self._limit = stream, limit
        self._read_bytes = 0
        self._tail = b""

    def require(self, meta: dict[str, Any]) -> None:
        """Refuses by the stated length, before anything is read."""
        stated = str(meta.get("CONTENT_LENGTH") or 0)
        # A body in chunks has none; see fido.lib.requests.Request.
        if stated.isdigit() and self._limit < int(stated) and "HTTP_TRANSFER_ENCODING" not in meta:
            raise BodyTooLarge()

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._stream.read(size)
        self._read_bytes += len(data)
        if self._read_bytes > self._limit:
            raise BodyTooLarge()
        self._tail = (self._tail + data)[-512:]
        return data

    def ended_with(self, last_line: bytes) -> bool:
        return self._tail.rstrip().endswith(last_line)


def _boundary(parser: MultiPartParser) -> str:
    boundary: bytes = parser._boundary  # type: ignore[attr-defined]
    return boundary.decode("ascii")
