"""What people read, each read noted with what it shows."""

import time
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.storms.faults.client import Answer
from tests.storms.faults.history import Page, Read, Sums
from tests.storms.faults.people import OPENING
from tests.storms.faults.service import Call, Person, Service

When = tuple[str, float, float]
Seen = Callable[[Person, When, Any], list[Read]]
# In a question that nobody has asked before, so that its answer is not kept.
NEVER_ASKED = "end=2100-01-01T00:00:00.{:06}Z"


def history(service: Service, person: Person, *, kept: bool, port: int | None = None) -> Answer:
    return _read(service, person, _get("history", "/transactions", kept=kept), _page, port=port)


def analytics(service: Service, person: Person, *, kept: bool, port: int | None = None) -> Answer:
    return _read(service, person, _get("analytics", "/analytics", kept=kept), _sums, port=port)


def profile(service: Service, person: Person, *, port: int | None = None) -> Answer:
    return _read(service, person, _get("users/me", "/users/me"), _name, port=port)


def wallet(service: Service, person: Person, *, port: int | None = None) -> Answer:
    call = _get("wallet", "/wallets/main/currencies")
    return _read(service, person, call, _balance, port=port)


def _get(what: str, path: str, *, kept: bool = True) -> Call:
    never_asked = "" if kept else f"?{NEVER_ASKED.format(time.monotonic_ns() % 10**6)}"
    return Call(what, "GET", path + never_asked)


def _read(service: Service, person: Person, call: Call, seen: Seen, *, port: int | None) -> Answer:
    history, began = service.history, time.monotonic()
    answer = service.request(person, call, port=port)
    if answer.status == 200:
        source = answer.headers.get("x-cache", "")
        named = f"{call.what} ({source})" if source else call.what
        history.saw(*seen(person, (named, began, time.monotonic()), answer.json))
    return answer


def _page(person: Person, when: When, body: Any) -> list[Read]:
    shown = {tag_of(row["transaction_date"]): _signed(row) for row in body["results"]}
    floor = min(shown) if body["next"] else ""
    return [Page(person.book, *when, shown, floor)]


def _sums(person: Person, when: When, body: Any) -> list[Read]:
    shown = {"count": body["total_transactions"], "credit": body["total_credit"]}
    shown |= {"debit": body["total_debit"]}
    sums = {name: Decimal(value) for name, value in shown.items()}
    return [Sums(person.book, *when, sums), *_name(person, when, body)]


def _name(person: Person, when: When, body: Any) -> list[Read]:
    return [Page(person.profile, *when, {"name": body["full_name"]})]


def _balance(person: Person, when: When, body: Any) -> list[Read]:
    (line,) = body["results"]
    return [Sums(person.wallet, *when, {"balance": Decimal(line["amount"]) - Decimal(OPENING)})]


def _signed(row: Any) -> Decimal:
    amount = Decimal(row["transaction_amount"])
    return amount if row["transaction_type"] == "credit" else -amount


def tag_of(moment: str) -> str:
    return str(int(datetime.fromisoformat(moment).timestamp()))
