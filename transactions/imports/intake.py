"""Takes in an upload piece by piece, and refuses an unimportable file as early as possible."""

from __future__ import annotations

import codecs
import hashlib
import re
from uuid import UUID

from django.conf import settings

from fido.lib.values.errors import DomainError, Kind
from transactions.imports.header import UploadRefused, layout_of
from transactions.imports.layout import BOM, MAX_ROW_LENGTH, Layout
from transactions.imports.spool import Writer

LINE_END = re.compile(r"[\r\n]")
# The first bytes of formats that are often sent by mistake.
NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "compressed by gzip",
    b"\xff\xfe": "in UTF-16",
    b"\xfe\xff": "in UTF-16",
    b"%PDF": "a PDF",
}
LONGEST_SIGNATURE = max(map(len, NOT_TEXT))


class UploadTooLarge(DomainError):
    code, title, kind = "file-too-large", "The file is too large to import.", Kind.TOO_LARGE


class Intake:
    """Writes what it is fed to the spool. `close` removes the file, unless `keep` was called."""

    def __init__(self, import_id: UUID) -> None:
        self.import_id = import_id
        self.max_bytes = settings.IMPORT_MAX_BYTES
        self.size_bytes = 0
        self.layout: Layout | None = None
        self._hash = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._first_bytes = b""
        self._head: str | None = None
        self._line_bytes = 0
        self._kept = False
        self._writer = Writer(import_id)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def feed(self, data: bytes) -> None:
        """Raises UploadRefused, UploadTooLarge or SpoolUnavailable; then nothing of the file
        remains.
        """
        try:
            self._check(data)
            self._writer.write(data)
        except BaseException:
            self.abandon()
            raise

    def finish(self) -> Layout:
        """The file's layout, once all of it is on disk. Raises as `feed` does."""
        try:
            self._decode(b"", final=True)
            layout = self.layout or self._layout_of_the_rest()
            self._writer.close()
        except BaseException:
            self.abandon()
            raise
        return layout

    def keep(self) -> None:
        """From now on another owner removes the file."""
        self._kept = True

    def close(self) -> None:
        if not self._kept:
            self.abandon()

    def abandon(self) -> None:
        self._writer.abandon()

    def _check(self, data: bytes) -> None:
        self._require_text(data)
        self.size_bytes += len(data)
        if self.size_bytes > self.max_bytes:
            raise UploadTooLarge(f"At most {self.max_bytes:,} bytes.")
        self._hash.update(data)
        self._require_short_lines(data)
        text = self._decode(data)
        if self.layout is None:
            self._find_layout(text)

    def _require_text(self, data: bytes) -> None:
        if len(self._first_bytes) >= LONGEST_SIGNATURE:
            return
        self._first_bytes += data[:LONGEST_SIGNATURE]
        for signature, what in NOT_TEXT.items():
            if self._first_bytes.startswith(signature):
                detail = f"The file is {what}: send CSV or NDJSON in UTF-8."
                raise UploadRefused("not-text", detail)

    def _require_short_lines(self, data: bytes) -> None:
        first, *others = map(len, data.replace(b"\r", b"\n").split(b"\n"))
        lengths = [self._line_bytes + first, *others]
        self._line_bytes = lengths[-1]
        if max(lengths) > MAX_ROW_LENGTH:
            raise UploadRefused("line-too-long", f"A line has more than {MAX_ROW_LENGTH:,} bytes.")

    def _decode(self, data: bytes, *, final: bool = False) -> str:
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise UploadRefused("not-utf-8", "The file is not text in UTF-8.") from None
        if "\0" in text:
            raise UploadRefused("not-text", "The file is not text: it holds a NUL.")
        return text

    def _find_layout(self, text: str) -> None:
        """Collect the first line, which may come in pieces."""
        if self._head is None:
            # A byte order mark counts only at the very beginning, and needs all its three bytes.
            if not text:
                return
            self._head, text = "", text.removeprefix(BOM)
        # Any number of blank lines may come before it.
        self._head = (self._head + text).lstrip()
        if end := LINE_END.search(self._head):
            self.layout = layout_of(self._head[: end.start()])

    def _layout_of_the_rest(self) -> Layout:
        if not self._head:
            raise UploadRefused("empty-file", "The file is empty.")
        return layout_of(self._head)
