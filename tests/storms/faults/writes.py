"""What people write, each write noted with what it sets. All their amounts are USD.

A transaction's tag is its second, which no other one of its user has.
"""

import threading
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

from tests.storms.faults.chance import CHANCE
from tests.storms.faults.client import Answer
from tests.storms.faults.history import Fate, Value
from tests.storms.faults.service import Call, Person, Recorded, Service

BULK_ROWS = 20
# Of two transactions, so that most are not in one window of a rule.
SECONDS_APART = 61
# Withdrawals above the limit of code 1100; nobody changes these transactions again.
LARGE = "150.00"


def create(service: Service, person: Person, *, keyed: bool, port: int | None = None) -> Answer:
    amount, wallet = _an_amount(), CHANCE.random() < 0.3
    tag = _next_second(person)
    call = Call("create", "POST", "/transactions", _row(tag, amount, wallet=wallet))
    effects = _effects(person, {tag: amount}, wallet=wallet)
    write, answer = service.write(person, call, effects, key=_a_key(keyed), port=port)
    if write.fate is Fate.ACKNOWLEDGED and amount > 0:
        person.records.append(Recorded(answer.json["id"], tag, amount, wallet))
    return answer


def create_twice_at_once(service: Service, person: Person) -> None:
    """Two requests with one key, as of an impatient client."""
    amount, tag, key = _an_amount(), _next_second(person), _a_key(True)
    call = Call("create twice", "POST", "/transactions", _row(tag, amount, wallet=True))
    arguments = (person, call, _effects(person, {tag: amount}, wallet=True))
    other = threading.Thread(target=service.write, args=arguments, kwargs={"key": key})
    other.start()
    service.write(*arguments, key=key)
    other.join()


def bulk(service: Service, person: Person, *, keyed: bool) -> None:
    amounts = {_next_second(person): _an_amount() for _ in range(BULK_ROWS)}
    rows = [_row(tag, amount, wallet=False) for tag, amount in amounts.items()]
    call = Call("bulk", "POST", "/transactions/bulk", rows)
    service.write(person, call, _effects(person, amounts, wallet=False), key=_a_key(keyed))


def edit(service: Service, person: Person) -> None:
    if record := _taken(person):
        amount = _a_small_amount()
        body = {"transaction_amount": str(amount)}
        call = Call("edit", "PATCH", f"/transactions/{record.id}", body)
        effects = _effects(person, {record.tag: amount}, wallet=record.wallet)
        write, _ = service.write(person, call, effects)
        if write.fate is not Fate.UNKNOWN:
            is_done = write.fate is Fate.ACKNOWLEDGED
            kept = Recorded(record.id, record.tag, amount, record.wallet) if is_done else record
            person.records.append(kept)


def delete(service: Service, person: Person) -> None:
    if record := _taken(person):
        effects = _effects(person, {record.tag: None}, wallet=record.wallet)
        call = Call("delete", "DELETE", f"/transactions/{record.id}")
        write, _ = service.write(person, call, effects)
        if write.fate is Fate.REFUSED:
            person.records.append(record)


def event(service: Service, person: Person, *, keyed: bool) -> None:
    """None while another event of this person is on its way: they come in order."""
    if person.turn.acquire(blocking=False):
        try:
            _send_event(service, person, _a_key(keyed))
        finally:
            person.turn.release()


def _send_event(service: Service, person: Person, key: str) -> None:
    person.second += CHANCE.randint(1, 12)
    tag, amount = str(person.second), CHANCE.choice([1, -1]) * Decimal(CHANCE.randrange(1, 200))
    kind = "deposit" if amount > 0 else "withdraw"
    body = {"type": kind, "amount": str(abs(amount)), "user_id": person.id, "time": person.second}
    effects = _effects(person, {tag: amount}, wallet=True)
    write, answer = service.write(person, Call("event", "POST", "/events", body), effects, key=key)
    if write.fate is Fate.ACKNOWLEDGED:
        service.codes[person.id, tag] = answer.json["alert_codes"]


def rename(service: Service, person: Person) -> None:
    if person.turn.acquire(blocking=False):
        try:
            name = f"Person {uuid4().hex[:12]}"
            effects = {person.profile: {"name": name}}
            call = Call("rename", "PATCH", "/users/me", {"full_name": name})
            service.write(person, call, effects)
        finally:
            person.turn.release()


def _taken(person: Person) -> Recorded | None:
    """A transaction that nobody else changes meanwhile."""
    try:
        return person.records.pop(CHANCE.randrange(len(person.records)))
    except (IndexError, ValueError):
        return None


_seconds = threading.Lock()


def _next_second(person: Person) -> str:
    with _seconds:
        person.second += SECONDS_APART
        return str(person.second)


def _an_amount() -> Decimal:
    return -Decimal(LARGE) if CHANCE.random() < 0.15 else _a_small_amount()


def _a_small_amount() -> Decimal:
    return Decimal(CHANCE.randrange(100, 9000)).scaleb(-2)


def _a_key(keyed: bool) -> str:
    return uuid4().hex if keyed else ""


def _row(tag: str, amount: Decimal, *, wallet: bool) -> dict[str, Any]:
    row = {
        "transaction_date": datetime.fromtimestamp(int(tag), UTC).isoformat(),
        "transaction_amount": str(abs(amount)),
        "transaction_type": "credit" if amount > 0 else "debit",
        "currency": "USD",
    }
    return row | ({"wallet": "main"} if wallet else {})


def _effects(
    person: Person, values: dict[str, Any], *, wallet: bool
) -> dict[str, dict[str, Value | None]]:
    return dict.fromkeys((person.book, *([person.wallet] if wallet else [])), values)
