"""A compressed upload as a stream: what has come of it, and what it inflates to."""

from __future__ import annotations

import zlib
from collections.abc import Generator

from transactions.imports.header import UploadRefused

# What is taken out of zlib at once, so that no piece, however small, becomes large in memory.
PIECE_BYTES = 64 * 1024
# zlib copies what it leaves of its input, so it gets little: many tiny streams in one large piece
# would be copied again and again.
STEP_BYTES = 8 * 1024
# Pieces of the unpacked file. An empty one means that more of the upload has to come first.
Pieces = Generator[bytes, None, None]


class Broken(UploadRefused):
    def __init__(self) -> None:
        detail = "The compressed file is damaged or incomplete, or something follows it."
        super().__init__("broken-archive", detail)


class Source:
    """The bytes of an upload that have come and have not been read yet."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.position = 0
        self.has_ended = False

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, data: bytes) -> None:
        self._waiting += data

    def end(self) -> None:
        self.has_ended = True

    def until(self, size: int) -> Pieces:
        """Wait until so many bytes are there, or the upload has ended."""
        while len(self) < size and not self.has_ended:
            yield b""

    def peek(self, size: int) -> bytes:
        """The next bytes, or as many as there are."""
        return bytes(self._waiting[:size])

    def take(self, size: int) -> bytes:
        """Like `peek`, and they are read then."""
        taken = self.peek(size)
        self.drop(len(taken))
        return taken

    def drop(self, size: int) -> None:
        del self._waiting[:size]
        self.position += size

    def exactly(self, size: int) -> Generator[bytes, None, bytes]:
        """So many bytes. Raises Broken if the upload ends before."""
        yield from self.until(size)
        if len(self) < size:
            raise Broken
        return self.take(size)


def inflated(source: Source, wbits: int) -> Pieces:
    """A stream of zlib's formats (`wbits`) to its end. Raises Broken."""
    stream = zlib.decompressobj(wbits)
    while not stream.eof:
        # Both formats have something after the stream, so it ends before the source does.
        yield from source.until(1)
        if not source:
            raise Broken
        packed = source.peek(STEP_BYTES)
        try:
            piece = stream.decompress(packed, PIECE_BYTES)
        except zlib.error:
            raise Broken from None
        # At its end, zlib may give the same bytes as both.
        left = stream.unused_data if stream.eof else stream.unconsumed_tail
        source.drop(len(packed) - len(left))
        if piece:
            yield piece
