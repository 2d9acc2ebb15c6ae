"""One process of the cache storm: writes, reads or warms for some users, until it is killed.

Run as `python -m tests.storms.cache_actor ROLE LEDGER USER_ID…`. It pauses where the cache would be
hurt most, and a writer sometimes kills itself there. Its replacement resends the unanswered
requests, under the same Idempotency-Key.
"""

import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import django
from django.conf import settings

django.setup()

from accounts.models import User  # noqa: E402
from analytics import warming  # noqa: E402
from analytics.warming import Outcome  # noqa: E402
from fido.lib.api import idempotency  # noqa: E402
from fido.lib.cache import versioned_cache  # noqa: E402
from fido.lib.cache.redis_link import Away  # noqa: E402
from tests.client import ApiClient  # noqa: E402
from tests.storms.ledger import Ledger  # noqa: E402
from tests.wsgi import Server  # noqa: E402
from transactions import operations  # noqa: E402

BODY = {"transaction_amount": "1.00", "transaction_type": "credit", "currency": "USD"}
# For each question, the number of the user's transactions in its answer. Each must count them all.
QUESTIONS: dict[str, Callable[[Any], int]] = {
    "/analytics": lambda body: int(body["total_transactions"]),
    "/analytics?start=1990-01-01": lambda body: int(body["total_transactions"]),
    "/analytics?end=2100-01-01T12:00:00Z": lambda body: int(body["total_transactions"]),
    "/users/me/analytics/series?interval=month": lambda body: sum(
        row["total_transactions"] for row in body["results"]
    ),
}
SERVER = Server()
# Redis loses nothing, so no read may show less than any earlier read.
CALM = bool(os.environ.get("STORM_IS_CALM"))


def pausing(function: Callable[..., Any], *, may_die: bool) -> Callable[..., Any]:
    """The function, after a pause that is sometimes long, or after killing this process."""

    def paused(*args: Any, **kwargs: Any) -> Any:
        chance = random.random()
        # Rarely: a dead writer stands for a minute, and then nothing is cached for its user.
        if may_die and chance < 0.003:
            os.kill(os.getpid(), signal.SIGKILL)
        if chance > 0.7:
            time.sleep(random.expovariate(1 / 0.03))
        return function(*args, **kwargs)

    return paused


def hurt(module: Any, name: str, *, may_die: bool) -> None:
    setattr(module, name, pausing(getattr(module, name), may_die=may_die))


def write(clients: list[ApiClient], ledger: Ledger) -> None:
    number, day = random.randrange(len(clients)), random.randrange(1, 28)
    note = ledger.folder / f"{os.getpid()}:{number}:{day}:{random.getrandbits(64)}"
    note.touch()
    send(note, clients, ledger)


def send(note: Path, clients: list[ApiClient], ledger: Ledger) -> None:
    """Record the transaction in the note's name until it is answered, and delete the note."""
    _, number, day, key = note.name.split(":")
    body, header = BODY | {"transaction_date": f"2026-01-{day:0>2}"}, {"HTTP_IDEMPOTENCY_KEY": key}
    if int(key) % 2:  # recorded in a transaction of several steps, and not in one statement
        body |= {"external_id": key}
    answer = clients[int(number)].post("/transactions", body, **header)
    while answer.status_code == 409:  # PostgreSQL has not noticed yet that its writer died
        answer = clients[int(number)].post("/transactions", body, **header)
    if answer.status_code == 201:
        ledger.acknowledge(int(number))
    else:
        report(status=answer.status_code, body=answer.content.decode()[:500])
    note.unlink()


def resend_unanswered(clients: list[ApiClient], ledger: Ledger) -> None:
    for note in ledger.folder.iterdir():
        pid, _, rest = note.name.partition(":")
        with suppress(FileNotFoundError):  # another process has taken it
            if not Path(f"/proc/{pid}").exists():
                send(note.rename(note.with_name(f"{os.getpid()}:{rest}")), clients, ledger)


def read(clients: list[ApiClient], ledger: Ledger) -> None:
    number = random.randrange(len(clients))
    path, count = random.choice(list(QUESTIONS.items()))
    acknowledged, before = ledger.acknowledged(number), ledger.seen(number)
    status, source, body = get(clients[number], path)
    if not status.startswith("200"):
        report(status=status, body=body.decode()[:500])
        return
    seen = count(json.loads(body))
    if seen < acknowledged:
        report(stale=path, seen=seen, acknowledged=acknowledged, source=source)
    elif seen < before and CALM:
        report(back=path, seen=seen, before=before, source=source)
    ledger.see(number, seen)
    ledger.count(source)


def get(client: ApiClient, path: str) -> tuple[str, str, bytes]:
    """Status, source and body; by Django alone, or with the fast path before it."""
    if random.random() < 0.3:
        answer = client.get(path)
        return str(answer.status_code), answer.headers.get("X-Cache", ""), answer.content
    route, _, query = path.partition("?")
    calls = SERVER.calls
    status, headers, body = SERVER.get(route, client.token, query)
    return status, "fast" if SERVER.calls == calls else headers.get("X-Cache", ""), body


def warm(clients: list[ApiClient], ledger: Ledger) -> None:
    time.sleep(0.01)  # an answer found in the cache is soon found again
    with suppress(Away):
        if warming.warm(random.choice(clients).user_id) is Outcome.WARMED:
            ledger.count("warmed")


def report(**what: Any) -> None:
    # One write call each, so that the processes' lines do not mix.
    os.write(sys.stdout.fileno(), (json.dumps(what) + "\n").encode())


def main(role: str, path: str, *user_ids: str) -> None:
    if os.environ.get("STORM_WITHOUT_FENCE"):
        for module in (operations, idempotency):
            setattr(module, "write_fence", nullcontext)  # noqa: B010 - mypy knows better
    if CALM:  # a busy machine is not an outage
        options: Any = settings.CACHES["default"]["OPTIONS"]
        options["SOCKET_TIMEOUT"] = 30
    hurt(operations, "_following", may_die=True)  # between the fence's first step and the write
    hurt(idempotency.Attempt, "_keep", may_die=True)  # between the write and the commit
    hurt(versioned_cache, "_leave", may_die=True)  # between the commit and the renewal
    hurt(versioned_cache, "keep", may_die=False)  # between a reader's query and its store
    ledger = Ledger(path)
    users = User.objects.in_bulk([int(user_id) for user_id in user_ids])
    clients = [ApiClient(users[int(user_id)]) for user_id in user_ids]
    if role == "writer":
        resend_unanswered(clients, ledger)
    work = {"writer": write, "reader": read, "warmer": warm}[role]
    while True:
        work(clients, ledger)


if __name__ == "__main__":
    main(*sys.argv[1:])
