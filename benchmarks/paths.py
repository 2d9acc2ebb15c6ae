"""What is measured: each path through the service, and its least possible cost."""

import json
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count
from urllib.parse import parse_qsl, urlencode, urlsplit

from analytics.operations import fold
from benchmarks import world
from benchmarks.http import Caller
from benchmarks.measure import Way
from benchmarks.statements import Bare
from tests.client import session_of

SHORT, LONG = 1_000, 100_000
ROWS = 200
CREATE, CREATE_ONCE, CREATE_MANY = "create", "create, with a key", f"bulk of {ROWS}"


@dataclass(frozen=True)
class Path:
    """A path through the service, and the statements that it cannot avoid."""

    name: str
    service: Way
    statements: Way
    is_kept: bool = False


@dataclass(frozen=True)
class Contenders:
    """The paths, a view that does nothing, and what a worker would do after each round."""

    paths: list[Path]
    nothing: Way
    fold: Way


def contenders(bare: Bare) -> Contenders:
    """Create the users, and the paths to measure with them."""
    short, long = (world.user_with_history(f"user{n}", n) for n in (SHORT, LONG))
    few, many = (Caller(session_of(user).access_token) for user in (short, long))
    token = bare.stored_name(long.pk)
    deep = _middle_of(many)
    paths = [
        Path(CREATE, _recording(many), lambda: bare.create(long.pk, token)),
        Path(CREATE_ONCE, _recording_once(many), lambda: bare.create_once(long.pk, token)),
        Path(CREATE_MANY, _recording_many(many), lambda: bare.create_many(long.pk, token, ROWS)),
        Path(
            "history, first page of 50",
            _asking(many, "/api/v1/transactions?"),
            lambda: bare.page(long.pk),
        ),
        Path("history, page in the middle", _asking(many, deep), lambda: bare.page(long.pk)),
        Path(
            f"analytics of {SHORT:,}",
            _asking(few, "/api/v1/analytics?"),
            lambda: bare.analytics(short.pk),
        ),
        Path(
            f"analytics of {LONG:,}",
            _asking(many, "/api/v1/analytics?"),
            lambda: bare.analytics(long.pk),
        ),
        Path(
            f"analytics of {SHORT:,}, kept",  # nobody writes to these meanwhile
            lambda: few.get("/api/v1/analytics"),
            lambda: bare.analytics(short.pk),
            is_kept=True,
        ),
    ]
    return Contenders(paths, lambda: many.get("/nothing"), lambda: fold([long.pk]))


def _asking(caller: Caller, path: str) -> Way:
    """The same question with a different end each time, so that no answer is cached."""
    numbers = count(1)

    def ask() -> bytes:
        return caller.get(f"{path}&end={date(2100, 1, 1) + timedelta(days=next(numbers))}")

    return ask


def _recording(caller: Caller) -> Way:
    numbers = count(1)
    return lambda: caller.post("/api/v1/transactions", _transaction(next(numbers)))


def _recording_once(caller: Caller) -> Way:
    numbers = count(1)

    def record() -> bytes:
        number = next(numbers)
        key = {"HTTP_IDEMPOTENCY_KEY": f"payment {number}"}
        return caller.post("/api/v1/transactions", _transaction(number), **key)

    return record


def _recording_many(caller: Caller) -> Way:
    rows = [_transaction(number) for number in range(ROWS)]
    return lambda: caller.post("/api/v1/transactions/bulk", rows)


def _transaction(number: int) -> dict[str, str]:
    return {
        "transaction_amount": f"{number}.99",
        "transaction_type": "debit",
        "transaction_date": "2026-01-31T12:00:00Z",
        "currency": "USD",
    }


def _middle_of(caller: Caller) -> str:
    """The page that begins in the middle of the history."""
    answer = json.loads(caller.get("/api/v1/transactions?limit=1&end=2027-01-31"))
    return "/api/v1/transactions?" + urlencode({"cursor": _cursor(answer["next"])})


def _cursor(url: str) -> str:
    return dict(parse_qsl(urlsplit(url).query))["cursor"]
