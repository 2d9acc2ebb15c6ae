"""What a client has sent of its next request, and how long it may take."""

import re
import socket
import struct
import time
from enum import Enum
from typing import Any

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import TConn

from fido.lib.process import watchdog

# Seconds from accept, or from the first byte on a kept-alive connection, to the end of the head;
# from there to the end of a body that the main loop reads; and for the client to take the answer.
HEAD_SECONDS, BODY_SECONDS, SEND_SECONDS = 10.0, 30.0, 10
# A body that a thread reads may be silent for as long, and has to come at this pace.
SILENT_SECONDS, BYTES_PER_SECOND = 30.0, 16 * 1024
# A longer head is refused by gunicorn's parser. A longer body is read by a thread.
MAX_HEAD_BYTES, MAX_BODY_BYTES = 64 * 1024, 4 * 1024 * 1024
PIECE_BYTES = 64 * 1024

END_OF_HEAD = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,18})[ \t]*\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_EXPECT = re.compile(rb"\r\nexpect:", re.IGNORECASE)
_TARGET = re.compile(rb"(?:GET|HEAD|POST) (/livez|/readyz|/metrics|\S+/export|\S+/bulk)[? ]")


class Kind(Enum):
    """Who serves a request. Each kind has threads of its own, so that none waits for another."""

    LIVENESS = "whether the process lives"
    CHECK = "readiness and metrics"
    BULK = "many records at once"
    STREAM = "what lasts as long as the client's network: a large body, or a whole export"
    REQUEST = "everything else"


KINDS = {
    b"livez": Kind.LIVENESS,
    b"readyz": Kind.CHECK,
    b"metrics": Kind.CHECK,
    b"export": Kind.STREAM,
    b"bulk": Kind.BULK,
}


class Connection(TConn):  # type: ignore[misc]
    """A client's connection, with what was received of a request that is not whole yet."""

    sock: socket.socket

    def __init__(self, cfg: Any, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        # The main loop says with each read that it does not wait; threads do wait.
        sock.setblocking(True)
        limit = struct.pack("@ll", SEND_SECONDS, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        self.data_ready = True  # a thread gets only what is ready
        self.received = bytearray()
        self.kind, self.is_whole = Kind.REQUEST, False
        self.deadline = time.monotonic() + HEAD_SECONDS
        self.ready_at = 0.0
        self._body_at = self._chunk_at = self._searched = 0
        self._length: int | None = None

    def read(self) -> bool:
        """Take what has arrived of the request; False if the client sends no more."""
        data = self.taken()
        if data and not self.received:
            self.deadline = time.monotonic() + HEAD_SECONDS
        self.received += data or b""
        return data != b""

    def taken(self) -> bytes | None:
        """What has arrived; None: nothing yet; nothing at all: the client sends no more."""
        try:
            return self.sock.recv(PIECE_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def is_ready(self) -> bool:
        """Whether to have it served: it is whole, or too large, or of a kind that may wait.

        gunicorn's parser has the last word on what the head means.
        """
        if not self._body_at and not self._end_head():
            if len(self.received) > MAX_HEAD_BYTES:
                self.kind = Kind.STREAM
        else:
            self.is_whole = self._has_whole_body()
            if not self.is_whole and len(self.received) - self._body_at > MAX_BODY_BYTES:
                self.kind = Kind.STREAM
        return self.is_whole or self.kind is Kind.STREAM

    def _has_whole_body(self) -> bool:
        if self._length is None:
            return self._has_last_chunk()
        return len(self.received) - self._body_at >= self._length

    def _has_last_chunk(self) -> bool:
        while (end := self.received.find(b"\r\n", self._chunk_at)) >= 0:
            try:
                size = int(self.received[self._chunk_at : end].partition(b";")[0], 16)
            except ValueError:
                return True  # which the parser refuses
            if size <= 0:
                return self.received.find(END_OF_HEAD, end) >= 0  # after any trailers
            following = end + size + 2 * len(b"\r\n")
            if following > len(self.received):
                break
            self._chunk_at = following
        return False

    def begin_next(self) -> None:
        """Wait for the next request on the same connection."""
        self.received = bytearray(self.parser.unreader.take_buffered())
        now = time.monotonic()
        self.deadline = now + (HEAD_SECONDS if self.received else self.cfg.keepalive)
        self.kind, self.is_whole = Kind.REQUEST, False
        self._body_at = self._chunk_at = self._searched = 0
        self._length = None

    def init(self) -> None:
        """Called by the thread that serves the request."""
        if not self.initialized:
            super().init()
            self.parser.unreader = PacedUnreader(self.sock)
        self.parser.unreader.begin(bytes(self.received), may_read=self.kind is Kind.STREAM)
        self.received.clear()

    def _end_head(self) -> bool:
        end = self.received.find(END_OF_HEAD, max(0, self._searched - len(END_OF_HEAD)))
        self._searched = len(self.received)
        if end < 0:
            return False
        self._body_at = self._chunk_at = end + len(END_OF_HEAD)
        self._look_at(bytes(self.received[: end + 2]))
        return True

    def _look_at(self, head: bytes) -> None:
        self.deadline = time.monotonic() + BODY_SECONDS
        target = _TARGET.match(head)
        self.kind = KINDS[target[1].rpartition(b"/")[2]] if target else Kind.REQUEST
        length = _LENGTH.search(head)
        self._length = int(length[1]) if length else 0
        if _CHUNKED.search(head):
            self._length = None
        # Whoever expects `100 Continue` sends no body before.
        if (self._length or 0) > MAX_BODY_BYTES or _EXPECT.search(head):
            self.kind = Kind.STREAM


class PacedUnreader(SocketUnreader):  # type: ignore[misc]
    """Reads, in a thread for streams, what the main loop has not. No other thread ever reads.

    A client that is too slow is given up.
    """

    def begin(self, received: bytes, *, may_read: bool) -> None:
        self.unread(received)
        self._may_read = may_read
        self._waited, self._taken = 0.0, 0

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Raise TimeoutError if too little has come in the time spent waiting for it."""
        if not self._may_read:
            return b""
        left = SILENT_SECONDS + self._taken / BYTES_PER_SECOND - self._waited
        if left <= 0:
            raise TimeoutError("The client sends too slowly.")
        began = time.monotonic()
        self.sock.settimeout(min(left, SILENT_SECONDS))
        data: bytes = super().chunk(size_hint)
        watchdog.progressed()
        self.sock.settimeout(None)
        self._waited += time.monotonic() - began
        self._taken += len(data)
        return data
