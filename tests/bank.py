"""An NBP-style bank on a real socket, which can also be slow, down, wrong, huge or closed."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler
from typing import Any

from fido.lib.values import clock
from tests.races import DEADLINE_SECONDS
from tests.stub_server import QuietHandler, StubServer

Say = Callable[[BaseHTTPRequestHandler], None]
TODAY = clock.now().date()
YESTERDAY = TODAY - timedelta(days=1)
PATHS = {f"/api/exchangerates/tables/{letter}/?format=json": letter for letter in "ABC"}


def table(letter: str, day: date = TODAY, /, **prices: Any) -> bytes:
    """A body: `table("A", USD="3.95")`, or `table("C", USD=("3.91", "3.99"))`.

    A price appears in it exactly as given.
    """
    names = ("bid", "ask") if letter == "C" else ("mid",)
    rows = []
    for code, given in prices.items():
        values = given if letter == "C" else (given,)
        fields = ", ".join(f'"{name}": {value}' for name, value in zip(names, values, strict=True))
        rows.append(f'{{"currency": "x", "code": "{code}", {fields}}}')
    return (
        f'[{{"table": "{letter}", "no": "1/{letter}/NBP", "effectiveDate": "{day}",'
        f' "rates": [{", ".join(rows)}]}}]'
    ).encode()


class StubBank(StubServer):
    """The test sets its answer for each table; it records which tables were requested."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers: dict[str, Say] = {}
        bank = self

        class Handler(QuietHandler):
            def do_GET(self) -> None:  # noqa: N802 - http.server's name
                bank.calls.append(self.path)
                with suppress(OSError):  # the client has disconnected
                    bank.answers.get(PATHS.get(self.path, ""), status(404))(self)

        super().__init__(Handler)

    def gives(self, **bodies: bytes) -> None:
        """Serve these tables from now on, and 404 for the others."""
        self.answers = {letter: says(body) for letter, body in bodies.items()}

    def answers_all(self, say: Say) -> None:
        self.answers = dict.fromkeys("ABC", say)


def says(body: bytes, code: int = 200, /, **headers: str) -> Say:
    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return say


def status(code: int, **headers: str) -> Say:
    return says(b"404 NotFound - Not Found - Brak danych", code, **headers)


def first(*sayings: Say) -> Say:
    """Each answer in turn, then always the last one."""
    left = list(sayings)

    def say(handler: BaseHTTPRequestHandler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return say


def endless(handler: BaseHTTPRequestHandler) -> None:
    """50 MB, more than any client should read."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(50 * 1024 * 1024))
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b" " * 1024 * 1024)


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def silent(bank: StubBank) -> Say:
    """Accepts the request, and sends nothing."""

    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        bank.finished.wait(DEADLINE_SECONDS)

    return say


def dripping(bank: StubBank, *, head: bool) -> Say:
    """One byte at a time, for longer than any client should wait."""

    def say(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        if not head:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not bank.finished.wait(0.02):
            handler.wfile.write(b"X")

    return say
