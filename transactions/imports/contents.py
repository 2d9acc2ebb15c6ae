"""What an upload consists of, judged as it comes."""

from __future__ import annotations

import codecs
import contextlib
import re
from typing import Protocol

from transactions.imports.header import UploadRefused, layout_of
from transactions.imports.layout import BOM, CSV, MAX_ROW_LENGTH, Layout

LINE_END = re.compile(r"[\r\n]")
# A message of SWIFT, or words in brackets: no JSON.
NO_JSON = re.compile(r"\{\d:|\[\s*[^\s{\[\]\"\d]")
UTF_8, UTF_16 = "utf-8", "utf-16"
UTF_16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
# What banks use that do not use UTF-8, and do not say so.
ELSE = "cp1252"
# How OFX 1 names a code page of Windows. XML is asked by its parser.
CODE_PAGE = re.compile(rb"^\s*CHARSET:\s*(125\d)\s*$", re.MULTILINE)


class Contents(Protocol):
    def feed(self, data: bytes) -> None:
        """Raises UploadRefused."""

    def finish(self) -> Layout:
        """The layout as far as it is known. Raises UploadRefused."""


class Native:
    """Our own CSV and NDJSON: UTF-8, lines of bounded length, and a header that we know."""

    def __init__(self) -> None:
        self._layout: Layout | None = None
        self._decoder = codecs.getincrementaldecoder(UTF_8)()
        self._head: str | None = None
        self._lines = _ShortLines()

    @staticmethod
    def begins(head: bytes) -> bool:
        """Whether a file that begins so is one of ours; False also while nobody can tell."""
        text = head.decode(errors="replace").removeprefix(BOM).lstrip()
        if text.startswith(("{", "[")):
            return len(text) > 2 and NO_JSON.match(text) is None
        end = LINE_END.search(text)
        with contextlib.suppress(UploadRefused):
            return end is not None and bool(layout_of(text[: end.start()]))
        return False

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)
        text = self._decode(data)
        if self._layout is None:
            self._find_layout(text)

    def finish(self) -> Layout:
        self._decode(b"", final=True)
        return self._layout or self._layout_of_the_rest()

    def _decode(self, data: bytes, *, final: bool = False) -> str:
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError:
            raise UploadRefused("not-utf-8", "The file is not text in UTF-8.") from None
        if "\0" in text:
            raise _no_text()
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
            self._layout = layout_of(self._head[: end.start()])

    def _layout_of_the_rest(self) -> Layout:
        if not self._head:
            raise UploadRefused("empty-file", "The file is empty.")
        return layout_of(self._head)


class FromBank:
    """A bank's file, which begins with `head` and is read by the worker."""

    def __init__(self, form: str, head: bytes) -> None:
        declared = CODE_PAGE.search(head)
        self._form = form
        self._encoding = _Encoding(f"cp{declared[1].decode()}" if declared else ELSE)

    def feed(self, data: bytes) -> None:
        if b"\0" in data:
            raise _no_text()
        self._encoding.feed(data)

    def finish(self) -> Layout:
        return Layout(self._form, encoding=self._encoding.found())


class Foreign:
    """Another CSV, which begins with `head`; what its columns are is found at its end."""

    def __init__(self, head: bytes) -> None:
        self._is_wide = head.startswith(UTF_16_MARKS)
        self._encoding = _Encoding(ELSE, first=UTF_16 if self._is_wide else UTF_8)
        self._lines = _ShortLines()

    def feed(self, data: bytes) -> None:
        self._lines.feed(data)
        if b"\0" in data and not self._is_wide:
            raise _no_text()
        self._encoding.feed(data)

    def finish(self) -> Layout:
        found = self._encoding.found()
        if self._is_wide and found != UTF_16:
            raise _no_text()
        return Layout(CSV, encoding=found)


class _ShortLines:
    """Refuses lines that would not fit into memory."""

    def __init__(self) -> None:
        self._bytes = 0

    def feed(self, data: bytes) -> None:
        first, *others = map(len, data.replace(b"\r", b"\n").split(b"\n"))
        lengths = [self._bytes + first, *others]
        self._bytes = lengths[-1]
        if max(lengths) > MAX_ROW_LENGTH:
            raise UploadRefused("line-too-long", f"A line has more than {MAX_ROW_LENGTH:,} bytes.")


class _Encoding:
    """The first one if the whole file is in it, or `other`."""

    def __init__(self, other: str, *, first: str = UTF_8) -> None:
        self._found, self._other = first, other
        self._decoder: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder(first)()

    def feed(self, data: bytes, *, final: bool = False) -> None:
        if self._decoder is None:
            return
        try:
            self._decoder.decode(data, final)
        except UnicodeDecodeError:
            self._found, self._decoder = self._other, None

    def found(self) -> str:
        self.feed(b"", final=True)
        return self._found


def _no_text() -> UploadRefused:
    return UploadRefused("not-text", "The file is not text: it holds a NUL.")
