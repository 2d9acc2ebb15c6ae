"""Fetches the bank's tables: bounded in time and size, and without following redirects."""

import random
import time
from contextlib import closing, suppress

import urllib3
from urllib3 import BaseHTTPResponse, HTTPConnectionPool, Timeout
from urllib3.exceptions import HTTPError

from accounts.rates.published import IN_TABLE, BadRates, Letter, Published, parse
from fido.lib.outbound.deadline import DeadlinePassed, Watch, cut_off, watched

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0
# For the whole fetch, including retries; a timeout bounds only one wait, and a bank may send byte
# by byte.
DEADLINE_SECONDS = 20.0
ATTEMPTS = 3
BACKOFF_SECONDS = 0.5
# Real ones have about 10 KB.
MAX_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "Fido"}


class Away(Exception):
    """The bank did not answer, or says that it is unavailable."""


def fetch(url: str) -> dict[Letter, Published]:
    """Fetch the bank's current tables; those that it answers 404 for are left out.

    NBP's 404 means that there is no table, as on a holiday.

    Raises:
        BadRates: no answer in time, or an unusable one.
    """
    try:
        with cut_off(DEADLINE_SECONDS) as watch, _pool(url, watch) as pool:
            bodies = {letter: _answer(pool, _path(url, letter)) for letter in IN_TABLE}
    except DeadlinePassed:
        raise _no_answer() from None
    return {letter: parse(letter, body) for letter, body in bodies.items() if body is not None}


def _path(url: str, letter: Letter) -> str:
    start = urllib3.util.parse_url(url).path or ""
    return f"{start}/api/exchangerates/tables/{letter}/?format=json"


def _answer(pool: HTTPConnectionPool, path: str) -> bytes | None:
    for attempt in range(ATTEMPTS):
        if attempt:
            # Jitter, so that many installations do not retry together.
            time.sleep(BACKOFF_SECONDS * 2**attempt * random.uniform(0.5, 1))  # noqa: S311
        # Only the kind of the error is reported: messages contain addresses, and differ each time.
        with suppress(Away):
            return _attempt(pool, path)
    raise _no_answer()


def _no_answer() -> BadRates:
    return BadRates("bank-away", "The bank did not answer, or not in time.")


def _attempt(pool: HTTPConnectionPool, path: str) -> bytes | None:
    try:
        answer = pool.urlopen(
            "GET", path, headers=HEADERS, retries=False, redirect=False, preload_content=False
        )
        with closing(answer):  # the rest of the body is not read
            return _body(answer)
    except HTTPError as error:
        raise Away from error


def _body(answer: BaseHTTPResponse) -> bytes | None:
    if answer.status == 404:
        return None
    if answer.status >= 500 or answer.status == 429:
        raise Away
    if answer.status != 200:
        raise BadRates("bad-status", f"The bank answered with status {answer.status}.")
    body = bytearray()
    while piece := answer.read1(PIECE_BYTES, decode_content=False):
        body += piece
        if len(body) > MAX_BYTES:
            raise BadRates("too-large", f"A table is larger than {MAX_BYTES:,} bytes.")
    return bytes(body)


def _pool(url: str, watch: Watch) -> HTTPConnectionPool:
    timeout = Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    pool: HTTPConnectionPool = watched(urllib3.connection_from_url(url, timeout=timeout), watch)
    return pool
