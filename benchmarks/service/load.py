"""The load: keep-alive connections in a process of its own, each with one request at a time.

It reads an `Order` as JSON from standard input, and writes an `Outcome` as JSON to standard output.
It computes as little as it can: requests are bytes that were made before.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from itertools import cycle

# Marks in a request, as long as what replaces them: a number or a day that no other request has.
NUMBER, DAY = "#NUMBER###", "#DAY######"
FIRST_NUMBER = 1_000_000_000
FIRST_DAY = date(2100, 1, 1)
HEAD_END = b"\r\n\r\n"
TRIES = 5


@dataclass(frozen=True)
class Order:
    """What to send: each lane is the requests of one connection, which repeats them."""

    port: int
    lanes: list[list[str]]
    seconds: float
    first_number: int = FIRST_NUMBER


@dataclass
class Outcome:
    """What came back; `seconds` end with the last answer, and latencies are in milliseconds."""

    statuses: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    median: float = 0.0
    p99: float = 0.0


class Lane(asyncio.Protocol):
    """One connection's requests, one after another; `done` is set once time is up."""

    def __init__(self, run: Run, requests: list[str], number: int) -> None:
        self.run, self.number = run, number
        self.requests = cycle([request.encode() for request in requests])
        self.buffer, self.missing = bytearray(), 0
        self.request = b""
        self.tries = 0
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        # After a server has closed a connection, what was not answered is sent again.
        self.request = self.request or self._next()
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        self.buffer, self.missing = bytearray(), 0
        self.tries += 1
        if not self.done.done():
            if self.tries > TRIES:
                self.done.set_exception(ConnectionError("the server closes every connection"))
            else:
                self.run.connect(self)

    def data_received(self, data: bytes) -> None:
        if self.missing:
            self.missing -= len(data)
            if self.missing <= 0:
                self._answered()
            return
        self.buffer += data
        end = self.buffer.find(HEAD_END)
        if end >= 0:
            head = bytes(self.buffer[:end])
            self.status = head[9:12].decode()
            self.missing = end + len(HEAD_END) + _length(head) - len(self.buffer)
            self.closes = b"onnection: close" in head
            if self.missing <= 0:
                self._answered()

    def _answered(self) -> None:
        self.run.count(self.status, time.perf_counter() - self.sent_at)
        self.buffer, self.missing, self.tries = bytearray(), 0, 0
        self.request = b""
        if self.run.is_over():
            self.done.set_result(None)
            self.transport.close()
        elif not self.closes:  # else connection_lost follows
            self.request = self._next()
            self._send()

    def _next(self) -> bytes:
        request, number = next(self.requests), self.number
        self.number += len(self.run.order.lanes)
        if b"#" not in request:
            return request
        day = FIRST_DAY + timedelta(days=number - FIRST_NUMBER)
        numbered = request.replace(NUMBER.encode(), b"%010d" % number)
        return numbered.replace(DAY.encode(), day.isoformat().encode())

    def _send(self) -> None:
        self.sent_at = time.perf_counter()
        self.transport.write(self.request)  # type: ignore[attr-defined]


class Run:
    """All lanes together."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.statuses: dict[str, int] = {}
        self.latencies: list[float] = []
        self.ends_at = 0.0

    async def to_its_end(self) -> Outcome:
        first = self.order.first_number
        lanes = [Lane(self, requests, first + n) for n, requests in enumerate(self.order.lanes)]
        started = time.perf_counter()
        self.ends_at = started + self.order.seconds
        for lane in lanes:
            self.connect(lane)
        await asyncio.gather(*(lane.done for lane in lanes))
        seconds = time.perf_counter() - started
        ranked = sorted(self.latencies)
        median, p99 = ranked[len(ranked) // 2], ranked[len(ranked) * 99 // 100]
        return Outcome(self.statuses, seconds, 1000 * median, 1000 * p99)

    def connect(self, lane: Lane) -> None:
        self._task = asyncio.ensure_future(self._connect(lane))

    async def _connect(self, lane: Lane) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: lane, "127.0.0.1", self.order.port)
        except OSError as error:
            lane.done.set_exception(error)

    def count(self, status: str, seconds: float) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.latencies.append(seconds)

    def is_over(self) -> bool:
        return time.perf_counter() >= self.ends_at


def _length(head: bytes) -> int:
    if head[9:12] in {b"304", b"204"}:
        return 0
    place = head.lower().index(b"content-length:") + len("content-length:")
    return int(head[place : place + 12].split(b"\r")[0])


async def main() -> Outcome:
    return await Run(Order(**json.load(sys.stdin))).to_its_end()


if __name__ == "__main__":
    with suppress(ImportError):  # a third of the CPU time
        import uvloop

        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    json.dump(asdict(asyncio.run(main())), sys.stdout)
