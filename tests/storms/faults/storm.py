"""The run: the world and its load, the faults that are on, and what was found."""

import statistics
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from tests.storms.faults import checker, raised, reads, truth, writes
from tests.storms.faults.faults import EACH, Fault, planned
from tests.storms.faults.history import Fate, History, Page, State, Value
from tests.storms.faults.load import Load
from tests.storms.faults.service import Person, Service
from tests.storms.faults.world import World

# From the end of a fault until a write and a read succeed at each host; on a slow machine longer.
RECOVERY_SECONDS = 5.0
# A machine where a write and a read take longer than this is slow by that factor.
PROBE_SECONDS = 0.03
# Load between two steps, and in a round at least.
STEP_SECONDS, ROUND_SECONDS = 0.3, 12.0
# When to give up a service that does not recover.
LOST_SECONDS = 90
# A delivery whose worker died is sent again after a minute, and a lost check after half of one. A
# worker whose queue has been silent for two minutes ends itself, to be started again.
BACKGROUND_SECONDS = 150
# Where a fault is no reason to be refused.
HARMLESS = {"clock"}


class Broken(AssertionError):
    """The storm has found something."""


class Storm:
    def __init__(self, world: World, rate: float, seconds: float) -> None:
        self.world, self.service = world, Service([host.port for host in world.hosts])
        *crowd, self.probe = world.people
        for person in world.people:
            self.service.log_in(person)
        self.load = Load(self.service, crowd, rate)
        self.service.tell = self.note
        self.truth = truth.Truth()
        self.state: State = {person.profile: {"name": "Nobody Yet"} for person in world.people}
        self.active: dict[str, Fault] = {}
        self.hits: Counter[str] = Counter()
        self.recoveries: dict[str, list[float]] = defaultdict(list)
        self.fates: Counter[Fate] = Counter()
        self.steps: list[str] = []
        self.found: list[str] = []
        self.rounds, self.slowness = 0, 1.0
        self.began, self.seconds = time.monotonic(), seconds

    @property
    def is_over(self) -> bool:
        """When time is up and each fault has been seen; at the latest after half of it again."""
        elapsed = time.monotonic() - self.began
        has_seen_all = planned(self.world) <= self.hits.keys()
        is_late = elapsed > (1 if has_seen_all else 1.5) * self.seconds
        return bool(self.found) or is_late

    # --- a round ---

    def begin_round(self) -> None:
        self.rounds += 1
        self.service.history = History()
        for person in self.world.people:
            self.service.log_in(person)
        self.slowness = max(1.0, self._seconds_of_a_probe() / PROBE_SECONDS)
        self.note(f"round {self.rounds}, slowness {self.slowness:.1f}")
        self._round_began = time.monotonic()
        self.load.go_on()

    def end_round(self) -> None:
        for place in list(self.active):
            self.end(place)
        time.sleep(max(0, self._round_began + ROUND_SECONDS - time.monotonic()))
        self.load.pause()
        self.world.supervise()
        self._wait_until_idle()
        # A service that has not recovered would keep each look waiting.
        if not self.found:
            self._look_at_everything()
            self._judge(is_last=False)

    def finish(self) -> None:
        """Wait until the background is done too."""
        began = time.monotonic()
        deadline = began + BACKGROUND_SECONDS * self.slowness
        while (left := truth.waiting(self.world.cluster.url)) and time.monotonic() < deadline:
            time.sleep(0.5)
            self.world.supervise()
        self.note(f"after {time.monotonic() - began:.0f} s the background has {left} to do")
        self.service.history = History()
        self._look_at_everything()
        self._judge(is_last=True)

    def note(self, text: str) -> None:
        self.steps.append(f"{time.monotonic() - self.began:7.1f} s  {text}")

    # --- faults ---

    def begin(self, place: str, start: Callable[[], Fault]) -> None:
        self.active[place] = fault = start()
        self.note(f"{fault.name} begins")
        self.hits[fault.name] += 1

    def end(self, place: str, after_seconds: float = 0) -> None:
        """Not before it has lasted that long, unless it is over at once."""
        fault = self.active.pop(place)
        ended = fault.began
        if fault.end:
            time.sleep(max(0, fault.began + after_seconds - time.monotonic()))
            fault.end()
            self.world.supervise()
            ended = time.monotonic()
            self.note(f"{fault.name} ends after {ended - fault.began:.1f} s")
        if self.active.keys() <= HARMLESS:
            self._recover(fault, ended)
        if fault.tidy:
            fault.tidy()

    def _recover(self, fault: Fault, ended: float) -> None:
        with ThreadPoolExecutor(len(self.service.ports)) as pool:
            seconds = max(pool.map(self._recovered, self.service.ports)) - ended
        self.recoveries[fault.name].append(seconds)
        self.note(f"recovered within {seconds:.2f} s")
        slowness = max(self.slowness, self.world.pace.slowness(ended, ended + seconds))
        limit = RECOVERY_SECONDS * slowness
        if seconds > limit:
            self.found.append(f"{fault.name}: no recovery in {limit:.1f} s: {seconds:.1f} s")

    def let_the_rarest_happen(self, seconds: float) -> None:
        """The fault that there was least of, for that long, so that each has its turn."""
        name = min(sorted(planned(self.world)), key=lambda each: self.hits[each])
        self.begin("rarest", lambda: EACH[name](self.world))
        self.end("rarest", seconds)

    def do(self, what: str, act: Callable[[Person], object], name: str) -> None:
        (person,) = (each for each in self.world.people if each.name == name)
        self.note(f"{name}: {what}")
        act(person)
        time.sleep(STEP_SECONDS)
        self.world.supervise()

    def wait(self, seconds: float) -> None:
        self.note(f"{seconds} s pass")
        time.sleep(seconds)
        self.world.supervise()

    def _recovered(self, port: int) -> float:
        """The moment at which this host has answered a write and a read."""
        deadline = time.monotonic() + LOST_SECONDS
        while not self._is_useful(port) and time.monotonic() < deadline:
            time.sleep(0.05)
        return time.monotonic()

    def _is_useful(self, port: int) -> bool:
        written = writes.create(self.service, self.probe, keyed=False, port=port)
        read = reads.analytics(self.service, self.probe, kept=True, port=port)
        return (written.status, read.status) == (201, 200)

    def _seconds_of_a_probe(self) -> float:
        def once() -> float:
            began = time.monotonic()
            self._is_useful(self.service.ports[0])
            return time.monotonic() - began

        return statistics.median(once() for _ in range(5))

    # --- judgement ---

    def _wait_until_idle(self) -> None:
        deadline = time.monotonic() + LOST_SECONDS
        while busy := truth.in_progress(self.world.cluster.url):
            if time.monotonic() > deadline:
                self.found.append(f"{busy} connections are still busy, after {LOST_SECONDS} s")
                return
            time.sleep(0.05)

    def _look_at_everything(self) -> None:
        """Nobody writes now, so these reads have to be exact."""
        asked: list[Any] = [reads.profile, reads.wallet]
        for person in self.world.people:
            for port in self.service.ports:
                for read in asked:
                    read(self.service, person, port=port)
                for kept in (True, False):
                    reads.history(self.service, person, kept=kept, port=port)
                    reads.analytics(self.service, person, kept=kept, port=port)

    def _judge(self, *, is_last: bool) -> None:
        history, now = self.service.history, time.monotonic()
        # First, because the background goes on to store alerts and to send them.
        received = self.world.received()
        self.truth.look(self.world.cluster.url)
        after = [*self.truth.values(), *self._names(history)]
        self.found += checker.violations(self.state, history, after)
        self.state = truth.state_of(after)
        alerts = self.truth.judged(self.world.people, self.service.codes, received)

        def is_due(id_: UUID) -> bool:
            # One that was deleted before anybody looked comes at the end.
            return is_last or now - self.truth.seen.get(id_, now) > BACKGROUND_SECONDS

        self.found += raised.violations(alerts, is_due)
        for command in ("check_totals", "reconcile_wallets"):
            self._run(command)
        self.fates.update(write.fate for write in history.writes)
        self.found += [f"the load failed: {error!r}" for error in self.load.failures]
        self.note(f"judged: {len(history.writes)} writes, {len(history.reads)} reads")

    def _names(self, history: History) -> list[tuple[str, str, Value]]:
        shown: dict[str, Value] = {
            person.profile: self.state[person.profile]["name"] for person in self.world.people
        }
        for read in history.reads:
            if isinstance(read, Page) and read.book in shown:
                shown[read.book] = read.shown["name"]
        return [(book, "name", name) for book, name in shown.items()]

    def _run(self, command: str) -> None:
        try:
            self.world.manage(command)
        except AssertionError as error:
            self.found.append(f"{command}: {error}")
