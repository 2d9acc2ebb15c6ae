"""What an upload consists of, judged as it comes."""

from __future__ import annotations

import codecs
import contextlib
import re
from typing import Protocol

from transactions.imports.header import UploadRefused, layout_of
from transactions.imports.layout import BOM, MAX_ROW_LENGTH, Layout

LINE_END = re.compile(r"[\r\n]")
# A message of SWIFT, which is no JSON.
SWIFT = re.compile(r"\{\d:")
UTF_8 = "utf-8"
# What banks use that do not use UTF-8, and do not say so.
ELSE = "cp1252"
# How OFX 1 names a code page of Windows. XML is asked by its parser.
CODE_PAGE = re.compile(rb"^\s*CHARSET:\s*(125\d)\s*$", re.MULTILINE)


class Contents(Protocol):
    def feed(self, data: bytes) -> None:
        """Raises UploadRefused."""

    def finish(self) -> Layout:
        """Raises UploadRefused."""


class Native:
    """Our own CSV and NDJSON: UTF-8, lines of bounded length, and a header that we know."""

    def __init__(self) -> None:
        self._layout: Layout | None = None
        self._decoder = codecs.getincrementaldecoder(UTF_8)()
        self._head: str | None = None
        self._line_bytes = 0

    @staticmethod
    def begins(head: bytes) -> bool:
        """Whether a file that begins so is one of ours; False also while nobody can tell."""
        text = head.decode(errors="replace").removeprefix(BOM).lstrip()
        if text.startswith("{"):
            return len(text) > 2 and SWIFT.match(text) is None
        end = LINE_END.search(text)
        with contextlib.suppress(UploadRefused):
            return end is not None and bool(layout_of(text[: end.start()]))
        return False

    def feed(self, data: bytes) -> None:
        self._require_short_lines(data)
        text = self._decode(data)
        if self._layout is None:
            self._find_layout(text)

    def finish(self) -> Layout:
        self._decode(b"", final=True)
        return self._layout or self._layout_of_the_rest()

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
            self._layout = layout_of(self._head[: end.start()])

    def _layout_of_the_rest(self) -> Layout:
        if not self._head:
            raise UploadRefused("empty-file", "The file is empty.")
        return layout_of(self._head)


class FromBank:
    """A bank's file, which begins with `head` and is read by the worker.

    Here its encoding is found: UTF-8 if all of it is, else the one that it declares.
    """

    def __init__(self, form: str, head: bytes) -> None:
        declared = CODE_PAGE.search(head)
        self._form, self._else = form, f"cp{declared[1].decode()}" if declared else ELSE
        self._decoder = codecs.getincrementaldecoder(UTF_8)()
        self._encoding = UTF_8

    def feed(self, data: bytes) -> None:
        if b"\0" in data:
            raise UploadRefused("not-text", "The file is not text: it holds a NUL.")
        self._try(data)

    def finish(self) -> Layout:
        self._try(b"", final=True)
        return Layout(self._form, encoding=self._encoding)

    def _try(self, data: bytes, *, final: bool = False) -> None:
        if self._encoding == UTF_8:
            try:
                self._decoder.decode(data, final)
            except UnicodeDecodeError:
                self._encoding = self._else
