"""The load generator, against a server that closes connections, as gunicorn's workers do."""

import asyncio
from collections import Counter

from benchmarks.service.load import FIRST_NUMBER, NUMBER, Order, Outcome, Run

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOTHING_NEW = b"HTTP/1.1 304 Not Modified\r\n\r\n"
LAST = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers `answers` in turn on each connection, and closes it after the last of them."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = answers
        self.seen = Counter[bytes]()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for answer in self.answers:
                self.seen[await reader.readuntil(b"\r\n\r\n")] += 1
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        writer.close()

    async def loaded(self, *lanes: str) -> Outcome:
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await Run(Order(port, [[lane] for lane in lanes], 0.1)).to_its_end()


def test_a_connection_that_the_server_closes_is_opened_again() -> None:
    server = Server(ANSWER, NOTHING_NEW, LAST)

    outcome = asyncio.run(server.loaded("GET / HTTP/1.1\r\n\r\n"))

    assert set(outcome.statuses) == {"200", "304"}
    assert sum(outcome.statuses.values()) == sum(server.seen.values()) > 3


def test_each_request_has_a_number_of_its_own() -> None:
    server = Server(*[ANSWER] * 10_000)
    request = f"GET /{NUMBER} HTTP/1.1\r\n\r\n"

    outcome = asyncio.run(server.loaded(request, request))

    numbers = {int(line.split()[1][1:]) for line in server.seen}
    first, sent = FIRST_NUMBER, outcome.statuses["200"]
    assert set(server.seen.values()) == {1}
    assert len(numbers) == sent
    assert {first, first + 1} <= numbers
