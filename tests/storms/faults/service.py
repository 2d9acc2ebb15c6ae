"""The service as its users see it: some hosts behind a balancer, and a note of all that happens."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.factories import PASSWORD
from tests.storms.faults.chance import CHANCE
from tests.storms.faults.client import NOT_SENT, Answer, ask
from tests.storms.faults.history import Attempt, Effects, Fate, History, Write

# A client that knows its request to be safe repeats it for so long.
INSIST_SECONDS = 8
# An answer that took longer is told.
LONG_SECONDS = 4
# Less than an access token lives.
LOGIN_SECONDS = 600


@dataclass(frozen=True)
class Call:
    """A request; `what` is its name in the report."""

    what: str
    method: str
    path: str
    body: Any = None


@dataclass(frozen=True)
class Recorded:
    """A transaction that its user may change: nobody else does so at the same time."""

    id: str
    tag: str
    amount: Decimal
    wallet: bool


@dataclass
class Person:
    id: int
    name: str
    token: str = ""
    logged_in: float = 0
    records: list[Recorded] = field(default_factory=list)
    second: int = 1_770_000_000
    # One at a time sends events, and one changes the profile.
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def book(self) -> str:
        return str(self.id)

    @property
    def wallet(self) -> str:
        return f"{self.id} wallet"

    @property
    def profile(self) -> str:
        return f"{self.id} profile"


class Service:
    """`history` is of the present round; `outcomes` and `codes` are of all."""

    def __init__(self, ports: list[int]) -> None:
        self.ports, self.history = ports, History()
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.sources: Counter[str] = Counter()
        # What the answers to events told, by user and second.
        self.codes: dict[tuple[int, str], list[int]] = {}
        # Called with what took long.
        self.tell: Callable[[str], None] = lambda text: None
        self._lock = threading.Lock()

    def log_in(self, person: Person) -> None:
        """Raise AssertionError if it does not work; nothing may be wrong then."""
        if time.monotonic() - person.logged_in > LOGIN_SECONDS:
            body = {"username": person.name, "password": PASSWORD}
            answer = ask(CHANCE.choice(self.ports), "POST", "/auth/login", body, **HEADERS)
            assert answer.status == 200, answer
            person.token, person.logged_in = answer.json["access_token"], time.monotonic()

    def request(
        self, person: Person, call: Call, *, port: int | None = None, **headers: str
    ) -> Answer:
        """To this host, or to any; a balancer asks another one if a host refuses connections."""
        answer, login = NOT_SENT, {"Authorization": f"Bearer {person.token}"}
        began = time.monotonic()
        for each in [port] if port else CHANCE.sample(self.ports, len(self.ports)):
            answer = ask(each, call.method, call.path, call.body, **HEADERS, **login, **headers)
            if answer is not NOT_SENT:
                break
        if (took := time.monotonic() - began) > LONG_SECONDS:
            self.tell(f"    {call.what} took {took:.1f} s: {answer.outcome}")
        with self._lock:
            self.outcomes[call.what, answer.outcome] += 1
            self.sources[answer.headers.get("x-cache", "")] += call.method == "GET"
        if answer.complaint:
            self.history.complain(f"{call.what}: {answer.complaint}")
        return answer

    def write(
        self,
        person: Person,
        call: Call,
        effects: Effects,
        *,
        key: str = "",
        port: int | None = None,
    ) -> tuple[Write, Answer]:
        """With a key, it is sent until there is a final answer, or for some seconds."""
        history = self.history
        write = history.begin(Write(f"{call.what} {key}", time.monotonic(), effects))
        headers = {"Idempotency_Key": key} if key else {}
        while True:
            answer = self.request(person, call, port=port, **headers)
            history.attempted(write, Attempt(time.monotonic(), answer.fate, _told(answer)))
            is_final = answer.fate is Fate.ACKNOWLEDGED or _is_refused_for_good(answer)
            if not key or is_final or time.monotonic() - write.began > INSIST_SECONDS:
                return write, answer
            time.sleep(CHANCE.uniform(0.1, 0.5))


HEADERS = {"Host": "localhost", "Content_Type": "application/json"}


def _is_refused_for_good(answer: Answer) -> bool:
    return 400 <= answer.status < 500 and answer.code != "idempotency-key-in-flight"


def _told(answer: Answer) -> str:
    """What an answer to the same request again must repeat."""
    return answer.content.decode() if answer.fate is Fate.ACKNOWLEDGED else ""
