"""Takes in an upload piece by piece, and refuses what cannot be imported as early as it shows."""

from __future__ import annotations

import codecs
import hashlib
import re
from uuid import UUID

from django.conf import settings

from fido.lib.problems import DomainError
from transactions.imports.layout import BOM, Layout, UploadRefused, layout_of
from transactions.imports.spool import Writer

# The longest row that could be valid, each character escaped, is a quarter of that.
MAX_LINE_BYTES = 64 * 1024
# The first that is not blank, once it is there to its end.
FIRST_LINE = re.compile(rf"{BOM}?\s*(\S.*?)[\r\n]")
# How files begin that are often sent by mistake.
NOT_TEXT = {
    b"PK\x03\x04": "a zip archive or a spreadsheet",
    b"\x1f\x8b": "compressed by gzip",
    b"\xff\xfe": "in UTF-16",
    b"\xfe\xff": "in UTF-16",
    b"%PDF": "a PDF",
}


class UploadTooLarge(DomainError):
    code, title, status = "file-too-large", "The file is larger than imports may be.", 413


class Intake:
    """Writes what it is fed to the spool. `abandon` leaves nothing behind."""

    def __init__(self, import_id: UUID) -> None:
        self.import_id = import_id
        self.max_bytes = settings.IMPORT_MAX_BYTES
        self.size_bytes = 0
        self.layout: Layout | None = None
        self._hash = hashlib.sha256()
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._head = ""
        self._line_bytes = 0
        self._writer = Writer(import_id)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()

    def feed(self, data: bytes) -> None:
        """Raises UploadRefused or UploadTooLarge; then nothing is left of it."""
        try:
            self._check(data)
            self._writer.write(data)
        except BaseException:
            self.abandon()
            raise

    def finish(self) -> Layout:
        """How the file is written. Raises UploadRefused; then nothing is left of it."""
        try:
            self._decode(b"", final=True)
            layout = self.layout or self._layout_of_the_rest()
            self._writer.close()
        except BaseException:
            self.abandon()
            raise
        return layout

    def abandon(self) -> None:
        self._writer.abandon()

    def _check(self, data: bytes) -> None:
        if not self.size_bytes:
            _require_text(data)
        self.size_bytes += len(data)
        if self.size_bytes > self.max_bytes:
            raise UploadTooLarge(f"At most {self.max_bytes:,} bytes.")
        self._hash.update(data)
        self._require_lines(data)
        text = self._decode(data)
        if self.layout is None:
            self._find_layout(text)

    def _require_lines(self, data: bytes) -> None:
        first, last = data.find(b"\n"), data.rfind(b"\n")
        if first < 0:
            self._line_bytes += len(data)
            longest = self._line_bytes
        else:
            inner = max(map(len, data[first + 1 : last + 1].split(b"\n")), default=0)
            longest = max(self._line_bytes + first, inner)
            self._line_bytes = len(data) - last - 1
        if longest > MAX_LINE_BYTES:
            raise UploadRefused("line-too-long", f"A line has more than {MAX_LINE_BYTES:,} bytes.")

    def _decode(self, data: bytes, *, final: bool = False) -> str:
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise UploadRefused("not-utf-8", "The file is not text in UTF-8.") from None
        if "\0" in text:
            raise UploadRefused("not-text", "The file is not text: it holds a NUL.")
        return text

    def _find_layout(self, text: str) -> None:
        self._head += text  # a header may come in pieces
        if line := FIRST_LINE.match(self._head):
            self.layout = layout_of(line[1])
            self._head = ""

    def _layout_of_the_rest(self) -> Layout:
        line = self._head.removeprefix(BOM).strip()
        if not line:
            raise UploadRefused("empty-file", "The file is empty.")
        return layout_of(line)


def _require_text(data: bytes) -> None:
    for signature, what in NOT_TEXT.items():
        if data.startswith(signature):
            raise UploadRefused("not-text", f"The file is {what}: send CSV or NDJSON in UTF-8.")
