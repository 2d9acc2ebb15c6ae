"""Unpacks an upload while it streams in: a gzip file, or a ZIP of one file."""

from __future__ import annotations

from collections.abc import Iterator

from transactions.imports import zips
from transactions.imports.header import UploadRefused
from transactions.imports.packed import PIECE_BYTES, Pieces, Source, inflated

GZIP = b"\x1f\x8b"
# For zlib: the largest window, in gzip's format, whose checksum and length it checks itself.
GZIP_WINDOW = 16 + 15
SIGNATURE_BYTES = 4
# Otherwise a small request could cost the work and the disk of the largest file. Histories shrink
# to a tenth or a thirtieth.
FREE_BYTES, MAX_RATIO = 10 * 1024 * 1024, 100
BOMB = f"It unpacks to more than {MAX_RATIO} times its size. Send it as it is."


class Unpacker:
    """Is fed an upload piece by piece, and gives back what it holds; other files as they are.

    How much that may be in all is for the caller to say. `feed` and `finish` raise UploadRefused.
    """

    def __init__(self) -> None:
        self._source = Source()
        self._pieces = _unpacked(self._source)
        self._bytes = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._source.put(data)
        return iter(self._next, b"")

    def finish(self) -> Iterator[bytes]:
        """What was held back until the end was known."""
        self._source.end()
        return self._pieces

    def _next(self) -> bytes:
        piece = next(self._pieces, b"")
        self._bytes += len(piece)
        if self._bytes > FREE_BYTES + MAX_RATIO * self._source.position:
            raise UploadRefused("archive-bomb", BOMB)
        return piece


def _unpacked(source: Source) -> Pieces:
    yield from source.until(len(GZIP))
    if source.peek(len(GZIP)) == GZIP:
        yield from _members(source)
        return
    yield from source.until(SIGNATURE_BYTES)
    if source.peek(SIGNATURE_BYTES) in zips.SIGNATURES:
        yield from zips.unpacked(source)
    else:
        yield from _as_it_is(source)


def _members(source: Source) -> Pieces:
    """A gzip file has one member or several, one after the other."""
    while source or not source.has_ended:
        yield from inflated(source, GZIP_WINDOW)
        yield from source.until(1)


def _as_it_is(source: Source) -> Pieces:
    while source or not source.has_ended:
        yield from source.until(1)
        if source:
            yield source.take(PIECE_BYTES)
